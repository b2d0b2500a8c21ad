package chaos

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy stands between a service and Postgres, on TCP towards the service and on the
// socket towards Postgres, and can be disturbed.
type proxy struct {
	listener net.Listener
	// target is the path of the socket of the Postgres that it leads to; it may change.
	target atomic.Pointer[string]
	// delay is how late everything is handed on, in nanoseconds.
	delay atomic.Int64
	// blackHoled tells that nothing arrives. What was sent meanwhile is not lost, as TCP
	// would send it again: it arrives when the hole is closed, if anybody is there yet.
	blackHoled atomic.Bool

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
	tasks  sync.WaitGroup
}

func newProxy(ctx context.Context, target string) (*proxy, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err //nolint:wrapcheck // it says all
	}

	w := &proxy{listener: listener, open: map[net.Conn]struct{}{}}
	w.target.Store(&target)
	w.tasks.Go(w.acceptClients)
	return w, nil
}

func (w *proxy) address() string { return w.listener.Addr().String() }

func (w *proxy) acceptClients() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}

		w.tasks.Go(func() { w.proxyClient(client) })
	}
}

// proxyClient joins a client with Postgres until either goes, or the wire is cut.
func (w *proxy) proxyClient(client net.Conn) {
	defer client.Close() //nolint:errcheck // it is over

	if !w.trackConnection(client) {
		return
	}

	defer w.untrackConnection(client)

	var dialer net.Dialer
	server, err := dialer.DialContext(context.Background(), "unix", *w.target.Load())
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // it is over

	if !w.trackConnection(server) {
		return
	}

	defer w.untrackConnection(server)

	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			w.copyDelayed(way[0], way[1])
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}

	both.Wait()
}

// chunk is what was read at once, and when it is to be handed on.
type chunk struct {
	at   time.Time
	text []byte
}

// copyDelayed hands on what it reads, late if it is told to. Bytes are delayed, not the
// reading of them: what is sent in one go arrives in one go.
func (w *proxy) copyDelayed(from io.Reader, to io.Writer) {
	const room, size, step = 1024, 64 << 10, 10 * time.Millisecond
	parcels := make(chan chunk, room)
	gone := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		defer close(gone)

		for p := range parcels {
			if wait := time.Until(p.at); wait > 0 { //nolint:forbidigo // a delay is one of the real clock
				<-time.After(wait)
			}

			for w.blackHoled.Load() {
				<-time.After(step)
			}

			if _, err := to.Write(p.text); err != nil {
				return
			}
		}
	})
	defer writer.Wait()
	defer close(parcels)

	buffer := make([]byte, size)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p := chunk{at: time.Now().Add(time.Duration(w.delay.Load())), text: append([]byte(nil), buffer[:n]...)} //nolint:forbidigo // as above
			select {
			case parcels <- p:
			case <-gone:
				return
			}
		}

		if err != nil {
			return
		}
	}
}

func (w *proxy) trackConnection(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()

	if !w.closed {
		w.open[c] = struct{}{}
	}

	return !w.closed
}

func (w *proxy) untrackConnection(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()

	delete(w.open, c)
}

// dropConnections closes all connections at once, and tells how many there were.
func (w *proxy) dropConnections() int {
	w.mu.Lock()
	defer w.mu.Unlock()

	n := 0
	for c := range w.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, not a farewell
			n++
		}

		_ = c.Close()
	}

	return n
}

// close ends the wire.
func (w *proxy) close() error {
	err := w.listener.Close()
	w.blackHoled.Store(false)
	w.delay.Store(0)
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.dropConnections()
	w.tasks.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}

	return err //nolint:wrapcheck // it says all
}
