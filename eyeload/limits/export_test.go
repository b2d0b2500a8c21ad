package limits

import "time"

// ProcessTime returns the CPU time of a process and its descendants.
func ProcessTime(pid int) (time.Duration, error) { return processTime(pid) }

// ResidentBytes returns the memory of a process.
func ResidentBytes(pid int) (int64, error) { return residentBytes(pid) }

// AddFigure adds a figure of one round.
func (r *Report) AddFigure(name string, value float64) { r.addFigure(name, value) }

// FormatNumber formats a figure.
func FormatNumber(value float64) string { return formatNumber(value) }
