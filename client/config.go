package client

import (
	"errors"
	"fmt"
	"time"
)

// What a BufferConfig leaves out.
const (
	defaultMaxEvents      = 10_000
	defaultMaxBytes       = 16 << 20
	defaultSpoolEvents    = 1_000_000
	defaultSpoolBytes     = 256 << 20
	defaultEventBytes     = 64 << 10
	defaultBatchEvents    = 500
	defaultBatchBytes     = 512 << 10
	defaultDelay          = time.Second
	defaultBackoffMin     = 500 * time.Millisecond
	defaultBackoffMax     = 30 * time.Second
	defaultRequestTimeout = 30 * time.Second
)

// BufferConfig says how much a Buffer holds, how it sends, and which functions it calls. The zero value of
// each field is its default.
type BufferConfig struct {
	// MaxEvents and MaxBytes bound the events that have no verdict yet, in number and in bytes
	// of JSON; past either, Enqueue returns ErrFull. The defaults are 10,000 and 16 MiB, or with
	// a spool 1,000,000 and 256 MiB.
	MaxEvents int
	MaxBytes  int64
	// MaxEventBytes is the size of JSON past which Enqueue returns ErrTooLarge; 64 KiB, like
	// the service's own limit. It may be up to 64 MiB.
	MaxEventBytes int

	// BatchEvents and BatchBytes bound a request; 500 and 512 KiB. An event alone is sent
	// whatever its size. If the service or a proxy finds a request too large, it is split.
	BatchEvents int
	BatchBytes  int64
	// Delay is how long an event waits for others to share its request; 1 s. A negative value
	// sends at once what is there.
	Delay time.Duration

	// BackoffMin and BackoffMax bound the wait after a failed attempt; 500 ms and 30 s. The
	// n-th wait is a random time of up to BackoffMin * 2^n and up to BackoffMax, on top of what
	// the service asked for in Retry-After (of which one hour is honoured). A refusal that
	// an operator must fix (401, 403 and the like) is tried again after BackoffMax at least.
	BackoffMin, BackoffMax time.Duration
	// RequestTimeout bounds one attempt; 30 s. The Client's own HTTP client may have a timeout
	// as well, which is 30 s unless WithHTTPClient sets another, and the shorter one counts.
	RequestTimeout time.Duration

	// Spool is a directory in which events wait for their verdicts. With it an event that
	// Enqueue took survives the process, however it ends: the next Buffer with this directory
	// sends it. It is made if it is missing, readable for its user only. One Buffer at a time
	// uses a directory, which a lock ensures, and only clients of one application should, one
	// after the other. Without it events wait in memory. It needs Linux, macOS or a BSD.
	Spool string
	// SpoolSync makes Enqueue wait until the disk has the event, so that it also survives the
	// machine: a crash of the system, a power cut. Callers at the same time share one wait.
	// Without it, Enqueue waits for the system's cache only.
	SpoolSync bool

	// OnVerdict receives the verdict on each event. Rejected and Conflict are final too: this is
	// where they are noticed. It is called at least once for each event: again with Duplicate
	// if the process ended before the Buffer had noted the first call.
	//
	// Both callbacks run in the goroutine that sends, one call at a time, and hold it up. They
	// may call Enqueue and Stats, and must not call Flush or Close, which wait for them.
	OnVerdict func(Event, Verdict)
	// OnError receives the reason why an attempt failed; its events are kept. It also receives what is wrong
	// with the spool (ErrSpoolDamaged), the first time by NewBuffer itself.
	OnError func(error)
}

// completed returns the config with its defaults.
func (c BufferConfig) completed() (BufferConfig, error) {
	events, bytes := defaultMaxEvents, int64(defaultMaxBytes)
	if c.Spool != "" {
		events, bytes = defaultSpoolEvents, defaultSpoolBytes
	}

	for _, number := range []struct {
		field *int
		value int
	}{{&c.MaxEvents, events}, {&c.MaxEventBytes, defaultEventBytes}, {&c.BatchEvents, defaultBatchEvents}} {
		if *number.field < 0 {
			return c, errors.New("client: a bound of the BufferConfig is negative")
		}

		setDefault(number.field, number.value)
	}

	if c.MaxBytes < 0 || c.BatchBytes < 0 || c.BackoffMin < 0 || c.BackoffMax < 0 || c.RequestTimeout < 0 {
		return c, errors.New("client: a bound of the BufferConfig is negative")
	}

	if c.MaxEventBytes > maxFrame-frameHead {
		return c, fmt.Errorf("client: the BufferConfig has a MaxEventBytes above %d bytes, the most that a Buffer takes", maxFrame-frameHead)
	}

	if c.SpoolSync && c.Spool == "" {
		return c, errors.New("client: the BufferConfig has SpoolSync and no Spool")
	}

	setDefault(&c.MaxBytes, bytes)
	setDefault(&c.BatchBytes, defaultBatchBytes)
	setDefault(&c.Delay, defaultDelay)
	setDefault(&c.BackoffMin, defaultBackoffMin)
	setDefault(&c.BackoffMax, defaultBackoffMax)
	setDefault(&c.RequestTimeout, defaultRequestTimeout)
	c.BackoffMin = min(c.BackoffMin, c.BackoffMax)
	c.BatchEvents = min(c.BatchEvents, c.MaxEvents)
	return c, nil
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
