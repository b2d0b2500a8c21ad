package chaos

import (
	"context"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
)

// ScheduleFaults returns the first n faults of a schedule, without those that need a disk or a
// build.
func ScheduleFaults(seed uint64, n int) (names []string, skipped map[string]string) {
	skipped = omittedFaults()
	d := newFaultSchedule(&testbed{Options: Options{Seed: seed}, clockUnavailable: "nothing is built"}, singleServerFaults(), skipped)
	for range n {
		names = append(names, d.nextFault().name)
	}

	return names, skipped
}

// Oracle exports the oracle.
type Oracle struct{ *oracle }

// NewOracle makes an empty oracle.
func NewOracle(source *traffic.Source) Oracle { return Oracle{newOracle(content{source})} }

// RecordSending records n events of the first application that are about to be sent.
func (o Oracle) RecordSending(n int) []uint64 {
	return o.recordSending(0, time.Unix(1, 0), make([]time.Duration, n)...)
}

// RecordVerdict records a verdict.
func (o Oracle) RecordVerdict(index uint64, v reconcile.Verdict, sequence int64) {
	o.recordVerdict(answer{
		index:    index,
		verdict:  v,
		sequence: sequence,
		began:    time.Unix(1, 0),
		now:      time.Unix(2, 0),
	})
}

// CountAcknowledged returns the number of acknowledged events.
func (o Oracle) CountAcknowledged() int64 { return o.snapshotTally().acknowledged }

// Journal returns the journal that is compared with the tables.
func (o Oracle) Journal() *reconcile.Journal { return o.journal }

// IsUnstorable reports whether an event cannot be stored.
func IsUnstorable(index uint64) bool { return isUnstorable(index) }

// SendUntilVerdict sends events to one service after another until there is a verdict.
func (o Oracle) SendUntilVerdict(ctx context.Context, targets []string, indexes []uint64) bool {
	c := newSender(o.oracle, targets, keys{}, time.Now)
	defer c.client.CloseIdleConnections()

	return c.sendUntilVerdict(ctx, indexes, len(targets)+1)
}

// Proxy is a TCP proxy that can be disturbed.
type Proxy struct{ *proxy }

// NewProxy makes a proxy to a socket.
func NewProxy(ctx context.Context, socket string) (Proxy, error) {
	w, err := newProxy(ctx, socket)
	return Proxy{w}, err
}

// Address returns the address on which it listens.
func (p Proxy) Address() string { return p.address() }

// SetDelay delays everything.
func (p Proxy) SetDelay(by time.Duration) { p.delay.Store(int64(by)) }

// SetBlackHole lets nothing through while it is open.
func (p Proxy) SetBlackHole(open bool) { p.blackHoled.Store(open) }

// DropConnections closes all connections.
func (p Proxy) DropConnections() int { return p.dropConnections() }

// Close ends it.
func (p Proxy) Close() error { return p.close() }

// BeginClockFault records that a service has a wrong clock.
func (o Oracle) BeginClockFault(target, code string) { o.beginClockFault(target, code, time.Now()) }

// EndClockFault records that the clock is right again.
func (o Oracle) EndClockFault() { o.endClockFault(time.Now()) }

// SendOnce sends events once.
func (o Oracle) SendOnce(ctx context.Context, target string, indexes []uint64) bool {
	c := newSender(o.oracle, nil, keys{}, time.Now)
	defer c.client.CloseIdleConnections()

	return c.sendOnce(ctx, target, indexes)
}

// CountRejected returns the number of rejected events.
func (o Oracle) CountRejected() int64 { return o.snapshotTally().rejected }

// WriteOverlay patches package time of a Go installation.
func WriteOverlay(goroot, dir string) (string, error) { return writeOverlay(goroot, dir) }

// BuildStepped builds a command of a module with a clock that can be stepped.
func BuildStepped(ctx context.Context, environ []string, module, command, dir string) (string, error) {
	return buildStepped(ctx, environ, module, command, dir)
}

// Clock is the offset of a wall clock.
type Clock struct{ *clock }

// NewClock makes a clock with the offset 0.
func NewClock(file string) (Clock, error) {
	c, err := newClock(file)
	return Clock{c}, err
}

// SetOffset sets the difference from the right time.
func (c Clock) SetOffset(by time.Duration) { c.setOffset(by) }

// EnvironmentVariable is the setting with which a process follows the clock.
func (c Clock) EnvironmentVariable() string { return c.environmentVariable() }

// Close ends it.
func (c Clock) Close() error { return c.close() }

// ErrNoSource means that nothing can be built.
var ErrNoSource = errNoSource

// SingleServerFaultNames returns the names of the faults that need no standby.
func SingleServerFaultNames() (names []string) {
	for _, f := range singleServerFaults() {
		names = append(names, f.name)
	}

	return names
}

// RecordSendingBefore records events of the first application that happened so long ago.
func (o Oracle) RecordSendingBefore(before ...time.Duration) []uint64 {
	return o.recordSending(0, time.Now(), before...)
}

// newTestSender returns a sender to one service, and the function that closes it.
func (o Oracle) newTestSender(target string) (c *sender, end func()) {
	c = newSender(o.oracle, []string{target}, keys{}, time.Now)
	return c, c.client.CloseIdleConnections
}

// VerifyListed requests a list that has to contain an event.
func (o Oracle) VerifyListed(ctx context.Context, target string, index uint64) {
	c, end := o.newTestSender(target)
	defer end()

	c.verifyListed(ctx, index, true)
}

// SendConflicting sends a variant of an event with other content.
func (o Oracle) SendConflicting(ctx context.Context, target string, index uint64, way int) {
	c, end := o.newTestSender(target)
	defer end()

	c.sendConflicting(ctx, index, way)
}

// CountConflictVariants returns the number of variants for SendConflicting.
func CountConflictVariants() int { return len(conflictVariants()) }

// EditEvent edits an event.
func (o Oracle) EditEvent(ctx context.Context, target string, index uint64) {
	c, end := o.newTestSender(target)
	defer end()

	c.editEvent(ctx, index)
}

// EraseEvent erases an event.
func (o Oracle) EraseEvent(ctx context.Context, target string, index uint64) {
	c, end := o.newTestSender(target)
	defer end()

	c.eraseEvent(ctx, index)
}

// SettleChanges repeats the changes that have no answer.
func (o Oracle) SettleChanges(ctx context.Context, target string) int {
	c, end := o.newTestSender(target)
	defer end()

	return c.settleChanges(ctx)
}

// RecordVerdictNow records a verdict on an event that is sent now, with the codes of its
// violations.
func (o Oracle) RecordVerdictNow(index uint64, v reconcile.Verdict, sequence int64, codes ...string) {
	o.recordVerdict(answer{
		index:    index,
		verdict:  v,
		sequence: sequence,
		codes:    codes,
		began:    time.Now(),
		now:      time.Now(),
	})
}

// IsAhead reports whether an event is dated ahead.
func IsAhead(index uint64) bool { return isAhead(index) }

// Applications is the number of applications that send.
const Applications = applications

// ApplicationOf returns the application that sends an event.
func ApplicationOf(index uint64) int { return applicationOf(index) }

// RecordSendingOf records an event of an application.
func (o Oracle) RecordSendingOf(application int) uint64 {
	return o.recordSending(application, time.Now(), 0)[0]
}

// BeginCycle begins a cycle.
func (o Oracle) BeginCycle() { o.beginCycle() }
