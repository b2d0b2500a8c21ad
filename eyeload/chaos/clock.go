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

// The kernel gives all processes the same wall clock, and a Go program calls no library
// for it that could be faked. So the service is built once more, from the same source,
// with a package time that adds an offset to what the kernel says. The offset is in a
// file that both processes map, so that it changes while the service runs. The monotonic
// clock, which every Go program measures durations by, is left alone, as it is when a
// real clock is stepped.

// clockVariable names the file with the offset.
const clockVariable = "CHAOS_CLOCK"

// errNoSource marks that the service cannot be built here.
var errNoSource = errors.New("the service cannot be built here with a clock that can be stepped")

// The line of time.Now that reads the clock, and what stands there afterwards.
const (
	clockReadBefore = "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {\n"
	clockReadAfter  = "\tsec, nsec, mono := runtimeNow()\n\tsec += steppedBy()\n\tif mono == 0 {\n"
)

// clockSource is a file more of package time.
const clockSource = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// steps is how many seconds the wall clock is ahead; nil is none.
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

// writeOverlay writes package time as it has to be into a folder, and returns the file that
// go build takes with -overlay.
func writeOverlay(goroot, dir string) (string, error) {
	name := filepath.Join(goroot, "src", "time", "time.go")
	text, err := os.ReadFile(name) //nolint:gosec // it is Go's own
	if err != nil {
		return "", fmt.Errorf("read package time: %w", err)
	}

	if n := bytes.Count(text, []byte(clockReadBefore)); n != 1 {
		return "", fmt.Errorf("the clock of this version of Go cannot be patched: the lines that read it are %d times in %s, and not once: "+
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

// buildStepped builds a command of the module in a folder, with a clock that can be
// stepped. An environment of nil is this process'. The error is errNoSource where there
// is no Go or no module.
func buildStepped(ctx context.Context, environ []string, module, command, dir string) (program string, err error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", fmt.Errorf("%w, for which Go has to be installed: %w", errNoSource, err)
	}

	if _, err := os.Stat(filepath.Join(module, command)); err != nil {
		return "", fmt.Errorf("%w: the source is not in the folder %q; name the right one by --source: %w", errNoSource, module, err)
	}

	is, err := goTool(ctx, "go", environ, module, "env", "GOROOT")
	if err != nil {
		return "", err
	}

	// The Go that go.mod names may lie among the modules, of which go build replaces no
	// file. It goes by the name, so that another name for the same folder will do.
	goroot := filepath.Join(dir, "goroot")
	if err := os.Symlink(is, goroot); err != nil {
		return "", fmt.Errorf("name the folder of Go: %w", err)
	}

	list, err := writeOverlay(goroot, dir)
	if err != nil {
		return "", err
	}

	program = filepath.Join(dir, filepath.Base(command))
	same := exec.Cmd{Env: environ}
	environ = append(same.Environ(), "GOROOT="+goroot, "GOTOOLCHAIN=local")
	_, err = goTool(ctx, filepath.Join(goroot, "bin", "go"), environ, module, "build", "-trimpath", "-overlay", list, "-o", program, "./"+command)
	return program, err
}

// goTool runs a go command in the folder of a module.
func goTool(ctx context.Context, program string, environ []string, module string, arguments ...string) (string, error) {
	run := exec.CommandContext(ctx, program, arguments...) //nolint:gosec // it is the Go of whoever runs this
	run.Dir, run.Env = module, environ
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

// newClock makes a clock that is right.
func newClock(file string) (*clock, error) {
	const size = 8
	f, err := os.Create(file) //nolint:gosec // it is in our folder
	if err != nil {
		return nil, fmt.Errorf("make a clock: %w", err)
	}
	defer f.Close() //nolint:errcheck // what is mapped stays

	if err := f.Truncate(size); err != nil {
		return nil, fmt.Errorf("make a clock: %w", err)
	}

	page, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map a clock: %w", err)
	}

	return &clock{file: file, page: page}, nil
}

// setOffset puts the clock so far from the right time.
func (c *clock) setOffset(by time.Duration) {
	atomic.StoreInt64((*int64)(unsafe.Pointer(&c.page[0])), int64(by/time.Second)) //nolint:gosec // a page is aligned
}

// environmentVariable is what a process follows this clock by.
func (c *clock) environmentVariable() string { return clockVariable + "=" + c.file }

func (c *clock) close() error {
	if err := syscall.Munmap(c.page); err != nil {
		return fmt.Errorf("close a clock: %w", err)
	}

	return nil
}
