package limits

import "time"

// ProcessTime is the CPU time of a process and its descendants.
func ProcessTime(pid int) (time.Duration, error) { return processTime(pid) }

// ResidentBytes is the memory that a process holds.
func ResidentBytes(pid int) (int64, error) { return residentBytes(pid) }

// AddFigure notes a figure of one round.
func (r *Report) AddFigure(name string, value float64) { r.addFigure(name, value) }

// FormatNumber writes a figure.
func FormatNumber(value float64) string { return formatNumber(value) }
