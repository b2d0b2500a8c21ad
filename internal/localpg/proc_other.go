//go:build unix && !linux

package localpg

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// dieWith does nothing: on these systems watchParent does the work.
func dieWith(*syscall.SysProcAttr) {}

// watchParent starts a shell that reads from a pipe of this process. When this
// process dies for any reason, the pipe ends and the shell ends the postmaster; when
// the postmaster ends first, the shell exits.
func watchParent(p *postmaster) error {
	cmd := exec.Command("/bin/sh", "-c", `read -r _ || kill -QUIT "$0"`, strconv.Itoa(p.process.Pid))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("starting the watch of postgres: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the watch of postgres: %w", err)
	}
	go func() {
		<-p.done
		_, _ = pipe.Write([]byte("\n"))
		_ = cmd.Wait()
	}()
	return nil
}

func processAlive(pid int) bool {
	err := syscall.Kill(pid, 0)
	if err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	state, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return err != nil || !strings.HasPrefix(strings.TrimSpace(string(state)), "Z")
}

// processServes recognises a postmaster by its command line.
func processServes(pid int, dataDir string) bool {
	line, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(line), "postgres") && strings.Contains(string(line), dataDir)
}

// childrenOf lists the live children of a process.
func childrenOf(parent int) ([]int, error) {
	table, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,state=").Output()
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var children []int
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		const columns = 3
		if len(fields) < columns || fields[1] != strconv.Itoa(parent) || strings.HasPrefix(fields[2], "Z") {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		if err != nil {
			return nil, fmt.Errorf("listing processes: %w", err)
		}
		children = append(children, pid)
	}
	return children, nil
}
