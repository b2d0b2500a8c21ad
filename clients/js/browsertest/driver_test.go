//go:build browser

package browsertest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// driver is a process of Node with a Chromium, which plays scenes. It is safe for concurrent use.
type driver struct {
	command *exec.Cmd
	ended   chan struct{}

	mu      sync.Mutex
	input   io.WriteCloser
	next    int
	waiting map[int]chan reply
}

// order is what a driver is asked to play.
type order struct {
	ID    int            `json:"id"`
	Scene string         `json:"scene"`
	With  map[string]any `json:"with"`
}

// reply is what came of it.
type reply struct {
	ID    int             `json:"id"`
	Saw   json.RawMessage `json:"saw"`
	Error string          `json:"error"`
}

var errDriverEnded = errors.New("the driver has ended")

// startDriver starts a driver until the test ends.
func startDriver(t testing.TB) *driver {
	t.Helper()
	require.DirExists(t, "driver/node_modules/playwright-core", "run scripts/ensure-chromium")

	d := &driver{waiting: map[int]chan reply{}, ended: make(chan struct{})}
	d.command = exec.CommandContext(context.Background(), "node", "driver/main.mjs", t.TempDir())
	d.command.Stderr = os.Stderr

	var err error
	d.input, err = d.command.StdinPipe()
	require.NoError(t, err)
	output, err := d.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, d.command.Start())

	go d.readReplies(output)
	t.Cleanup(func() {
		// It closes its browsers, and ends.
		require.NoError(t, d.input.Close())
		<-d.ended
		require.NoError(t, d.command.Wait())
	})

	return d
}

func (d *driver) readReplies(output io.Reader) {
	defer close(d.ended)

	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}

		var answer reply
		if err := json.Unmarshal(line, &answer); err != nil {
			panic("the driver wrote something other than a reply: " + string(line))
		}

		d.mu.Lock()
		asked := d.waiting[answer.ID]
		delete(d.waiting, answer.ID)
		d.mu.Unlock()
		asked <- answer
	}
}

// play plays a scene to its end, and decodes what was seen in it.
func (d *driver) play(t testing.TB, scene string, with map[string]any, saw any) {
	t.Helper()
	answered, err := d.send(scene, with)
	require.NoError(t, err)

	select {
	case answer := <-answered:
		require.Empty(t, answer.Error, "scene %s", scene)
		require.NoError(t, json.Unmarshal(answer.Saw, saw), "scene %s saw %s", scene, answer.Saw)
	case <-d.ended:
		require.NoError(t, errDriverEnded, "in scene %s", scene)
	}
}

func (d *driver) send(scene string, with map[string]any) (<-chan reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.next++
	line, err := json.Marshal(order{ID: d.next, Scene: scene, With: with})
	if err != nil {
		return nil, err
	}

	answered := make(chan reply, 1)
	d.waiting[d.next] = answered
	_, err = d.input.Write(append(line, '\n'))

	return answered, err
}
