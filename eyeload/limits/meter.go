package limits

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit of the times in /proc/PID/stat on every Linux that Go supports
// (USER_HZ, proc(5)).
const ticksPerSecond = 100

// processTime returns the CPU time, user and system, of a process and of its descendants that
// run or were waited for.
func processTime(pid int) (time.Duration, error) {
	total := 0
	children, err := mapChildren()
	if err != nil {
		return 0, err
	}

	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		fields, err := readProcessStat(queue[0])
		if err != nil {
			if queue[0] == pid {
				return 0, err
			}

			continue // it has ended; its parent's times now include its own
		}

		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			ticks, err := strconv.Atoi(field)
			if err != nil {
				return 0, fmt.Errorf("read the times of process %d: %w", queue[0], err)
			}

			total += ticks
		}

		queue = append(queue, children[queue[0]]...)
	}

	return time.Duration(total) * time.Second / ticksPerSecond, nil
}

// readProcessStat returns the fields of /proc/PID/stat after the name, beginning with the
// state.
func readProcessStat(pid int) ([]string, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil, fmt.Errorf("read a process's times: %w", err)
	}

	_, behind, found := bytes.Cut(text[bytes.LastIndexByte(text, ')')+1:], []byte(" "))
	fields := strings.Fields(string(behind))
	const needed = 15
	if !found || len(fields) < needed {
		return nil, fmt.Errorf("read the times of process %d: %q is not valid", pid, text) //nolint:err113 // for a person
	}

	return fields, nil
}

// mapChildren maps each process to its children.
func mapChildren() (map[int][]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}

	found := map[int][]int{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}

		fields, err := readProcessStat(pid)
		if err != nil {
			continue // it has ended
		}

		if parent, err := strconv.Atoi(fields[1]); err == nil {
			found[parent] = append(found[parent], pid)
		}
	}

	return found, nil
}

// residentBytes returns the physical memory of a process (VmRSS, proc(5)).
func residentBytes(pid int) (int64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("read a process's memory: %w", err)
	}

	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0] == "VmRSS:" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read a process's memory: %w", err)
			}

			return kilobytes << 10, nil
		}
	}

	return 0, fmt.Errorf("read the memory of process %d: there is no VmRSS", pid) //nolint:err113 // for a person
}

// median returns the median of at least one figure.
func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}

	return sorted[middle]
}
