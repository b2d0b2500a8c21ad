package chaos

import (
	"context"
	"time"

	"github.com/the-eye-events/the-eye/internal/load/reconcile"
	"github.com/the-eye-events/the-eye/internal/load/traffic"
)

// Deal deals so many faults, those that take a disk left out.
func Deal(seed uint64, n int) (names []string, skipped map[string]string) {
	d, skipped := newDeck(&site{Options: Options{Seed: seed}})
	for range n {
		names = append(names, d.deal().name)
	}
	return names, skipped
}

// Book is what was meant and told.
type Book struct{ *book }

// NewBook makes an empty one.
func NewBook(source *traffic.Source) Book { return Book{newBook(source)} }

// Mean notes events that are about to be sent.
func (b Book) Mean(n int) []uint64 { return b.mean(n, time.Unix(1, 0)) }

// Told notes a verdict.
func (b Book) Told(index uint64, v reconcile.Verdict, sequence int64) {
	b.told(index, v, sequence, time.Unix(1, 0), time.Unix(2, 0))
}

// Acknowledged is how many were acknowledged.
func (b Book) Acknowledged() int64 { return b.counted().acknowledged }

// Ledger is what is held against the tables.
func (b Book) Ledger() *reconcile.Ledger { return b.ledger }

// Poisoned tells whether an event is not fit to be stored.
func Poisoned(index uint64) bool { return poisoned(index) }

// Deliver sends events to services, each to the next until there is a verdict.
func (b Book) Deliver(ctx context.Context, targets []string, indexes []uint64) bool {
	c := newCourier(b.book, targets, "key", time.Now)
	defer c.client.CloseIdleConnections()
	return c.deliver(ctx, indexes, len(targets)+1)
}

// Wire is a TCP proxy that can be disturbed.
type Wire struct{ *wire }

// NewWire makes one to a socket.
func NewWire(ctx context.Context, socket string) (Wire, error) {
	w, err := newWire(ctx, socket)
	return Wire{w}, err
}

// Address is where it listens.
func (w Wire) Address() string { return w.address() }

// Delay hands everything on late.
func (w Wire) Delay(by time.Duration) { w.delay.Store(int64(by)) }

// Hole lets nothing through.
func (w Wire) Hole(open bool) { w.hole.Store(open) }

// Drop closes all connections.
func (w Wire) Drop() int { return w.drop() }

// Close ends it.
func (w Wire) Close() error { return w.close() }
