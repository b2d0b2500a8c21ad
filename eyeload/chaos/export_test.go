package chaos

import (
	"context"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
)

// ScheduleFaults deals so many faults, those left out that take a disk or a build.
func ScheduleFaults(seed uint64, n int) (names []string, skipped map[string]string) {
	skipped = omittedFaults()
	d := newFaultSchedule(&testbed{Options: Options{Seed: seed}, clockUnavailable: "nothing is built"}, singleServerFaults(), skipped)
	for range n {
		names = append(names, d.nextFault().name)
	}

	return names, skipped
}

// Oracle is what was meant and told.
type Oracle struct{ *oracle }

// NewOracle makes an empty one.
func NewOracle(source *traffic.Source) Oracle { return Oracle{newOracle(content{source})} }

// RecordSending notes events of the first application that are about to be sent.
func (b Oracle) RecordSending(n int) []uint64 {
	return b.recordSending(0, time.Unix(1, 0), make([]time.Duration, n)...)
}

// RecordVerdict notes a verdict.
func (b Oracle) RecordVerdict(index uint64, v reconcile.Verdict, sequence int64) {
	b.recordVerdict(answer{index: index, verdict: v, sequence: sequence, began: time.Unix(1, 0), now: time.Unix(2, 0)})
}

// CountAcknowledged is how many were acknowledged.
func (b Oracle) CountAcknowledged() int64 { return b.snapshotTally().acknowledged }

// Journal is what is held against the tables.
func (b Oracle) Journal() *reconcile.Journal { return b.journal }

// IsUnstorable tells whether an event is not fit to be stored.
func IsUnstorable(index uint64) bool { return isUnstorable(index) }

// SendUntilVerdict sends events to services, each to the next until there is a verdict.
func (b Oracle) SendUntilVerdict(ctx context.Context, targets []string, indexes []uint64) bool {
	c := newSender(b.oracle, targets, keys{}, time.Now)
	defer c.client.CloseIdleConnections()

	return c.sendUntilVerdict(ctx, indexes, len(targets)+1)
}

// Proxy is a TCP proxy that can be disturbed.
type Proxy struct{ *proxy }

// NewProxy makes one to a socket.
func NewProxy(ctx context.Context, socket string) (Proxy, error) {
	w, err := newProxy(ctx, socket)
	return Proxy{w}, err
}

// Address is where it listens.
func (w Proxy) Address() string { return w.address() }

// SetDelay hands everything on late.
func (w Proxy) SetDelay(by time.Duration) { w.delay.Store(int64(by)) }

// SetBlackHole lets nothing through.
func (w Proxy) SetBlackHole(open bool) { w.blackHoled.Store(open) }

// DropConnections closes all connections.
func (w Proxy) DropConnections() int { return w.dropConnections() }

// Close ends it.
func (w Proxy) Close() error { return w.close() }

// BeginClockFault notes that a service judges by a wrong clock, and Straight that it does no more.
func (b Oracle) BeginClockFault(target, code string) { b.beginClockFault(target, code, time.Now()) }

// EndClockFault notes that the clock is right again.
func (b Oracle) EndClockFault() { b.endClockFault(time.Now()) }

// SendOnce sends events once.
func (b Oracle) SendOnce(ctx context.Context, target string, indexes []uint64) bool {
	c := newSender(b.oracle, nil, keys{}, time.Now)
	defer c.client.CloseIdleConnections()

	return c.sendOnce(ctx, target, indexes)
}

// CountRejected is how many were refused.
func (b Oracle) CountRejected() int64 { return b.snapshotTally().rejected }

// WriteOverlay patches package time of a Go.
func WriteOverlay(goroot, dir string) (string, error) { return writeOverlay(goroot, dir) }

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

// SetOffset puts it so far from the right time.
func (c Clock) SetOffset(by time.Duration) { c.setOffset(by) }

// EnvironmentVariable is what a process follows it by.
func (c Clock) EnvironmentVariable() string { return c.environmentVariable() }

// Close ends it.
func (c Clock) Close() error { return c.close() }

// ErrNoSource marks that nothing can be built.
var ErrNoSource = errNoSource

// SingleServerFaultNames names the faults that need no standby.
func SingleServerFaultNames() (names []string) {
	for _, f := range singleServerFaults() {
		names = append(names, f.name)
	}

	return names
}

// RecordSendingBefore notes events of the first application that happened so long before now.
func (b Oracle) RecordSendingBefore(before ...time.Duration) []uint64 {
	return b.recordSending(0, time.Now(), before...)
}

// newTestSender sends to one service, and is closed with the function that is returned.
func (b Oracle) newTestSender(target string) (c *sender, end func()) {
	c = newSender(b.oracle, []string{target}, keys{}, time.Now)
	return c, c.client.CloseIdleConnections
}

// VerifyListed asks a service for a list that has to hold an event.
func (b Oracle) VerifyListed(ctx context.Context, target string, index uint64) {
	c, end := b.newTestSender(target)
	defer end()

	c.verifyListed(ctx, index, true)
}

// SendConflicting sends an event with another content, in one of Ways ways.
func (b Oracle) SendConflicting(ctx context.Context, target string, index uint64, way int) {
	c, end := b.newTestSender(target)
	defer end()

	c.sendConflicting(ctx, index, way)
}

// CountConflictVariants is how many ways there are to contradict.
func CountConflictVariants() int { return len(conflictVariants()) }

// EditEvent edits an event, Erase erases it and EraseSession its session.
func (b Oracle) EditEvent(ctx context.Context, target string, index uint64) {
	c, end := b.newTestSender(target)
	defer end()

	c.editEvent(ctx, index)
}

// EraseEvent erases an event.
func (b Oracle) EraseEvent(ctx context.Context, target string, index uint64) {
	c, end := b.newTestSender(target)
	defer end()

	c.eraseEvent(ctx, index)
}

// SettleChanges asks for everything again of which nobody knows what became of it.
func (b Oracle) SettleChanges(ctx context.Context, target string) int {
	c, end := b.newTestSender(target)
	defer end()

	return c.settleChanges(ctx)
}

// RecordVerdictNow notes a verdict on an event that is sent now, and what was objected to.
func (b Oracle) RecordVerdictNow(index uint64, v reconcile.Verdict, sequence int64, codes ...string) {
	b.recordVerdict(answer{index: index, verdict: v, sequence: sequence, codes: codes, began: time.Now(), now: time.Now()})
}

// IsAhead tells whether an event is dated ahead.
func IsAhead(index uint64) bool { return isAhead(index) }

// Applications is how many applications send, and ApplicationOf tells which sends an event.
const Applications = applications

// ApplicationOf tells which application sends an event.
func ApplicationOf(index uint64) int { return applicationOf(index) }

// RecordSendingOf notes an event of an application.
func (b Oracle) RecordSendingOf(application int) uint64 {
	return b.recordSending(application, time.Now(), 0)[0]
}

// BeginCycle begins a cycle.
func (b Oracle) BeginCycle() { b.beginCycle() }
