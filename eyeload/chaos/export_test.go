package chaos

import (
	"context"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
)

// Deal deals so many faults, those left out that take a disk or a build.
func Deal(seed uint64, n int) (names []string, skipped map[string]string) {
	skipped = leftOut()
	d := newDeck(&site{Options: Options{Seed: seed}, unsteppable: "nothing is built"}, catalogue(), skipped)
	for range n {
		names = append(names, d.deal().name)
	}
	return names, skipped
}

// Book is what was meant and told.
type Book struct{ *book }

// NewBook makes an empty one.
func NewBook(source *traffic.Source) Book { return Book{newBook(content{source})} }

// Mean notes events of the first application that are about to be sent.
func (b Book) Mean(n int) []uint64 { return b.mean(0, time.Unix(1, 0), make([]time.Duration, n)...) }

// Told notes a verdict.
func (b Book) Told(index uint64, v reconcile.Verdict, sequence int64) {
	b.told(answer{index: index, verdict: v, sequence: sequence, began: time.Unix(1, 0), now: time.Unix(2, 0)})
}

// Acknowledged is how many were acknowledged.
func (b Book) Acknowledged() int64 { return b.counted().acknowledged }

// Ledger is what is held against the tables.
func (b Book) Ledger() *reconcile.Ledger { return b.ledger }

// Poisoned tells whether an event is not fit to be stored.
func Poisoned(index uint64) bool { return poisoned(index) }

// Deliver sends events to services, each to the next until there is a verdict.
func (b Book) Deliver(ctx context.Context, targets []string, indexes []uint64) bool {
	c := newCourier(b.book, targets, keys{}, time.Now)
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

// GoAstray notes that a service judges by a wrong clock, and Straight that it does no more.
func (b Book) GoAstray(target, code string) { b.goAstray(target, code, time.Now()) }

// Straight notes that the clock is right again.
func (b Book) Straight() { b.straight(time.Now()) }

// Attempt sends events once.
func (b Book) Attempt(ctx context.Context, target string, indexes []uint64) bool {
	c := newCourier(b.book, nil, keys{}, time.Now)
	defer c.client.CloseIdleConnections()
	return c.attempt(ctx, target, indexes)
}

// Refused is how many were refused.
func (b Book) Refused() int64 { return b.counted().refused }

// Overlay patches package time of a Go.
func Overlay(goroot, dir string) (string, error) { return overlay(goroot, dir) }

// BuildStepped builds a command of a module with a clock that can be stepped.
func BuildStepped(ctx context.Context, environ []string, module, command, dir string) (string, error) {
	return buildStepped(ctx, environ, module, command, dir)
}

// Clock is the offset of a wall clock.
type Clock struct{ *clock }

// NewClock makes one that is right.
func NewClock(file string) (Clock, error) {
	c, err := newClock(file)
	return Clock{c}, err
}

// Step puts it so far from the right time.
func (c Clock) Step(by time.Duration) { c.step(by) }

// Environ is what a process follows it by.
func (c Clock) Environ() string { return c.environ() }

// Close ends it.
func (c Clock) Close() error { return c.close() }

// ErrNoSource marks that nothing can be built.
var ErrNoSource = errNoSource

// FaultsOfOneServer names the faults that need no standby.
func FaultsOfOneServer() (names []string) {
	for _, f := range catalogue() {
		names = append(names, f.name)
	}
	return names
}

// MeanBefore notes events of the first application that happened so long before now.
func (b Book) MeanBefore(before ...time.Duration) []uint64 { return b.mean(0, time.Now(), before...) }

// sender sends to one service, and is closed with the function that is returned.
func (b Book) sender(target string) (c *courier, end func()) {
	c = newCourier(b.book, []string{target}, keys{}, time.Now)
	return c, c.client.CloseIdleConnections
}

// Look asks a service for a list that has to hold an event.
func (b Book) Look(ctx context.Context, target string, index uint64) {
	c, end := b.sender(target)
	defer end()
	c.look(ctx, index, true)
}

// Contradict sends an event with another content, in one of Ways ways.
func (b Book) Contradict(ctx context.Context, target string, index uint64, way int) {
	c, end := b.sender(target)
	defer end()
	c.contradict(ctx, index, way)
}

// Ways is how many ways there are to contradict.
func Ways() int { return len(contradictions()) }

// Edit edits an event, Erase erases it and EraseSession its session.
func (b Book) Edit(ctx context.Context, target string, index uint64) {
	c, end := b.sender(target)
	defer end()
	c.edit(ctx, index)
}

// Erase erases an event.
func (b Book) Erase(ctx context.Context, target string, index uint64) {
	c, end := b.sender(target)
	defer end()
	c.erase(ctx, index)
}

// Settle asks for everything again of which nobody knows what became of it.
func (b Book) Settle(ctx context.Context, target string) int {
	c, end := b.sender(target)
	defer end()
	return c.settle(ctx)
}

// ToldNow notes a verdict on an event that is sent now, and what was objected to.
func (b Book) ToldNow(index uint64, v reconcile.Verdict, sequence int64, codes ...string) {
	b.told(answer{index: index, verdict: v, sequence: sequence, codes: codes, began: time.Now(), now: time.Now()})
}

// IsAhead tells whether an event is dated ahead.
func IsAhead(index uint64) bool { return isAhead(index) }

// Applications is how many applications send, and ApplicationOf tells which sends an event.
const Applications = applications

// ApplicationOf tells which application sends an event.
func ApplicationOf(index uint64) int { return applicationOf(index) }

// MeanOf notes an event of an application.
func (b Book) MeanOf(application int) uint64 { return b.mean(application, time.Now(), 0)[0] }

// Begin begins a cycle.
func (b Book) Begin() { b.begin() }
