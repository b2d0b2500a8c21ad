package limits

import "time"

// ProcessTime is the CPU time of a process and its descendants.
func ProcessTime(pid int) (time.Duration, error) { return processTime(pid) }

// ResidentBytes is the memory that a process holds.
func ResidentBytes(pid int) (int64, error) { return residentBytes(pid) }

// Add notes a figure of one round.
func (r *Report) Add(name string, value float64) { r.add(name, value) }

// Number writes a figure.
func Number(value float64) string { return number(value) }
