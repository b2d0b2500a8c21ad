package localpg

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// dieWith makes the kernel end the child when the starting thread dies.
func dieWith(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }

// watchParent is needed only where the kernel does not support that.
func watchParent(*postmaster) error { return nil }

// processStat returns a process's state letter and parent, from /proc.
func processStat(pid int) (state byte, parent int, err error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, fmt.Errorf("reading state of process %d: %w", pid, err)
	}

	// The name is in parentheses and may contain any character, so count from its end.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 || len(fields[0]) != 1 {
		return 0, 0, fmt.Errorf("reading state of process %d: unexpected answer", pid)
	}

	if parent, err = strconv.Atoi(string(fields[1])); err != nil {
		return 0, 0, fmt.Errorf("reading parent of process %d: %w", pid, err)
	}

	return fields[0][0], parent, nil
}

// processAlive is false for a zombie too: in a container it may never be reaped.
func processAlive(pid int) bool {
	state, _, err := processStat(pid)
	return err == nil && state != 'Z' && state != 'X'
}

// processServes recognises a postmaster by its working directory.
func processServes(pid int, dataDir string) bool {
	dir, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	return err == nil && dir == dataDir
}

// childrenOf lists the live children of a process.
func childrenOf(parent int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}

	var children []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}

		state, itsParent, err := processStat(pid)
		if err == nil && itsParent == parent && state != 'Z' && state != 'X' {
			children = append(children, pid)
		}
	}

	return children, nil
}
