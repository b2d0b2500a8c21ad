package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// The kernel gives all processes the same wall clock, and a Go program reads it through no
// library that could be faked. So the service is built again from the same source, with a
// package time that adds an offset to the kernel's time. The offset is in a file that both
// processes map, so that it can change while the service runs. The monotonic clock, with
// which Go measures durations, is not changed, as when a real clock is stepped.

// clockVariable is the environment variable that names the file with the offset.
const clockVariable = "CHAOS_CLOCK"

// errNoSource means that the service cannot be built here.
var errNoSource = errors.New("the service cannot be built here with a clock that can be stepped")

// The lines of time.Now that read the clock, before and after the patch.
const (
	clockReadBefore = "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {\n"
	clockReadAfter  = "\tsec, nsec, mono := runtimeNow()\n\tsec += steppedBy()\n\tif mono == 0 {\n"
)

// clockSource is a file that is added to package time.
const clockSource = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// steps is the number of seconds that the wall clock is ahead; nil means none.
var steps = mapSteps()

func steppedBy() int64 {
	if steps == nil {
		return 0
	}
	return atomic.LoadInt64(steps)
}

func mapSteps() *int64 {
	name, named := syscall.Getenv("` + clockVariable + `")
	if !named {
		return nil
	}
	file, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		panic("open " + name + ": " + err.Error())
	}
	page, err := syscall.Mmap(file, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("map " + name + ": " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&page[0]))
}
`

// writeOverlay writes the patched package time into a folder, and returns the file for go
// build's -overlay.
func writeOverlay(goroot, dir string) (string, error) {
	name := filepath.Join(goroot, "src", "time", "time.go")
	text, err := os.ReadFile(name) //nolint:gosec // a file of the Go installation
	if err != nil {
		return "", fmt.Errorf("read package time: %w", err)
	}

	if n := bytes.Count(text, []byte(clockReadBefore)); n != 1 {
		return "", fmt.Errorf("the clock of this version of Go cannot be patched: the lines that read it occur %d times in %s instead of once: "+
			"adapt clockReadBefore in eyeload/chaos/clock.go", n, name)
	}

	replace := map[string]string{name: filepath.Join(dir, "time.go"), filepath.Join(goroot, "src", "time", "stepped.go"): filepath.Join(dir, "stepped.go")}
	index, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}

	list := filepath.Join(dir, "overlay.json")
	for file, content := range map[string][]byte{
		replace[name]: bytes.Replace(text, []byte(clockReadBefore), []byte(clockReadAfter), 1), filepath.Join(dir, "stepped.go"): []byte(clockSource), list: index,
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return "", fmt.Errorf("write the overlay: %w", err)
		}
	}

	return list, nil
}

// buildStepped builds a command of the module into a folder, with a clock that can be stepped.
// A nil environment stands for that of this process. The error is errNoSource when Go or the
// module is missing.
func buildStepped(ctx context.Context, environ []string, module, command, dir string) (program string, err error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", fmt.Errorf("%w, for which Go has to be installed: %w", errNoSource, err)
	}

	if _, err := os.Stat(filepath.Join(module, command)); err != nil {
		return "", fmt.Errorf("%w: the source is not in the folder %q; set it with --source: %w", errNoSource, module, err)
	}

	installed, err := goTool(ctx, "go", environ, module, "env", "GOROOT")
	if err != nil {
		return "", err
	}

	// The Go version of go.mod may be in the module cache, where go build replaces no files.
	// It decides by the path, so a symbolic link to the same folder avoids that.
	goroot := filepath.Join(dir, "goroot")
	if err := os.Symlink(installed, goroot); err != nil {
		return "", fmt.Errorf("link the folder of Go: %w", err)
	}

	list, err := writeOverlay(goroot, dir)
	if err != nil {
		return "", err
	}

	program = filepath.Join(dir, filepath.Base(command))
	base := exec.Cmd{Env: environ}
	environ = append(base.Environ(), "GOROOT="+goroot, "GOTOOLCHAIN=local")
	_, err = goTool(ctx, filepath.Join(goroot, "bin", "go"), environ, module, "build", "-trimpath", "-overlay", list, "-o", program, "./"+command)

	return program, err
}

// goTool runs a go command in the folder of a module.
func goTool(ctx context.Context, program string, environ []string, module string, arguments ...string) (string, error) {
	run := exec.CommandContext(ctx, program, arguments...) //nolint:gosec // the Go installation of the user

	run.Dir = module
	run.Env = environ
	var errOut strings.Builder
	run.Stderr = &errOut

	out, err := run.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", arguments[0], err, errOut.String())
	}

	return strings.TrimSpace(string(out)), nil
}

// clock is the offset of a wall clock.
type clock struct {
	file string
	page []byte
}

// newClock makes a clock with the offset 0.
func newClock(file string) (*clock, error) {
	const size = 8

	f, err := os.Create(file) //nolint:gosec // a file in the folder of the testbed
	if err != nil {
		return nil, fmt.Errorf("make a clock: %w", err)
	}
	defer f.Close() //nolint:errcheck // the mapping stays

	if err := f.Truncate(size); err != nil {
		return nil, fmt.Errorf("make a clock: %w", err)
	}

	page, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map a clock: %w", err)
	}

	return &clock{file: file, page: page}, nil
}

// setOffset sets the difference from the right time.
func (c *clock) setOffset(by time.Duration) {
	atomic.StoreInt64((*int64)(unsafe.Pointer(&c.page[0])), int64(by/time.Second)) //nolint:gosec // a page is aligned
}

// environmentVariable is the setting with which a process follows this clock.
func (c *clock) environmentVariable() string { return clockVariable + "=" + c.file }

func (c *clock) close() error {
	if err := syscall.Munmap(c.page); err != nil {
		return fmt.Errorf("close a clock: %w", err)
	}

	return nil
}
