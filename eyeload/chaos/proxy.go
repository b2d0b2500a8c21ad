package chaos

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// proxy connects a service with Postgres, by TCP towards the service and by the socket towards
// Postgres, and can be disturbed.
type proxy struct {
	listener net.Listener
	// target is the path of the socket of Postgres; it may change.
	target atomic.Pointer[string]
	// delay is the time by which everything is delayed, in nanoseconds.
	delay atomic.Int64
	// blackHoled is true while nothing arrives. As TCP would send it again, nothing is lost: it
	// arrives afterwards, if the connection still exists.
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
		return nil, err //nolint:wrapcheck // says enough
	}

	w := &proxy{listener: listener, open: map[net.Conn]struct{}{}}
	w.target.Store(&target)
	w.tasks.Go(w.acceptClients)

	return w, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) acceptClients() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}

		p.tasks.Go(func() { p.proxyClient(client) })
	}
}

// proxyClient connects a client with Postgres until either closes, or the connection is
// dropped.
func (p *proxy) proxyClient(client net.Conn) {
	defer client.Close() //nolint:errcheck // no longer used

	if !p.trackConnection(client) {
		return
	}

	defer p.untrackConnection(client)

	var dialer net.Dialer
	server, err := dialer.DialContext(context.Background(), "unix", *p.target.Load())
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // no longer used

	if !p.trackConnection(server) {
		return
	}

	defer p.untrackConnection(server)

	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			p.copyDelayed(way[0], way[1])
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}

	both.Wait()
}

// chunk is the result of one read, and when it is to be forwarded.
type chunk struct {
	at   time.Time
	text []byte
}

// copyDelayed forwards the bytes that it reads, after the delay. The bytes are delayed, not the
// reads, so that bytes sent together arrive together.
func (p *proxy) copyDelayed(from io.Reader, to io.Writer) {
	const room, size, step = 1024, 64 << 10, 10 * time.Millisecond

	chunks := make(chan chunk, room)
	gone := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		defer close(gone)

		for c := range chunks {
			if wait := time.Until(c.at); wait > 0 { //nolint:forbidigo // a delay by the real clock
				<-time.After(wait)
			}

			for p.blackHoled.Load() {
				<-time.After(step)
			}

			if _, err := to.Write(c.text); err != nil {
				return
			}
		}
	})
	defer writer.Wait()
	defer close(chunks)

	buffer := make([]byte, size)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			due := time.Now().Add(time.Duration(p.delay.Load())) //nolint:forbidigo // as above
			select {
			case chunks <- chunk{at: due, text: slices.Clone(buffer[:n])}:
			case <-gone:
				return
			}
		}

		if err != nil {
			return
		}
	}
}

func (p *proxy) trackConnection(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	if !p.closed {
		p.open[c] = struct{}{}
	}

	return !p.closed
}

func (p *proxy) untrackConnection(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()

	delete(p.open, c)
}

// dropConnections closes all connections at once, and returns the number of clients.
func (p *proxy) dropConnections() int {
	p.mu.Lock()
	defer p.mu.Unlock()

	n := 0
	for c := range p.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, not an orderly close
			n++
		}

		_ = c.Close()
	}

	return n
}

// close stops the proxy.
func (p *proxy) close() error {
	err := p.listener.Close()
	p.blackHoled.Store(false)
	p.delay.Store(0)
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.dropConnections()
	p.tasks.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}

	return err //nolint:wrapcheck // says enough
}
