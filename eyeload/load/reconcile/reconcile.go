package reconcile

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/oracle"
)

// Outcome is what a reconciliation found.
type Outcome string

// The outcomes.
const (
	// Consistent: all that was acknowledged is stored as told, and nothing else.
	Consistent Outcome = "consistent"
	// Inconsistent: there are differences.
	Inconsistent Outcome = "inconsistent"
	// Unreadable: the store could not be read to the end, which tells nothing.
	Unreadable Outcome = "unreadable"
	// Skipped: it was not asked for.
	Skipped Outcome = "skipped"
)

// Result is what a reconciliation found, for the report.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// Acknowledged is how many events somebody was told are stored, and Found how
	// many of the run's events were read from the store.
	Acknowledged int64 `json:"acknowledged"`
	Found        int64 `json:"found"`
	// Unanswered is how many were sent of which nobody knows whether they are
	// stored, and UnansweredFound how many of these are.
	Unanswered      int64 `json:"unanswered"`
	UnansweredFound int64 `json:"unanswered_found"`
	Rejected        int64 `json:"refused"`
	// Lost, Duplicated and Gaps are the gravest of the differences: acknowledged and not
	// found, found more than once, and sessions whose numbers are not 1 to n.
	Lost       int64 `json:"lost"`
	Duplicated int64 `json:"duplicated"`
	Gaps       int64 `json:"gaps"`
	// Differences counts them all; List has the first.
	Differences int64    `json:"differences"`
	List        []string `json:"list,omitempty"`
	// Tables tells whether the database was asked, too.
	Tables bool `json:"tables"`
	// Reason says why the store could not be read.
	Reason  string  `json:"reason,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Store is where to read from.
type Store struct {
	// URL is the service's base URL, and Key may read the run's application.
	URL, Key string
	// Client sends the request; it must not bound the time of the whole answer.
	Client *http.Client
	// Database is asked about the run's sessions unless it is nil.
	Database oracle.Querier
}

// Source makes the events of a run; *traffic.Source does.
type Source interface {
	// ID is the id of the event at an index, and Index leads back to it.
	ID(index uint64) uuid.UUID
	IndexOf(id uuid.UUID) (index uint64, ours bool)
	// OwnsSession tells whether a session is one of the run, and SessionSuffix is how the
	// text of its id ends then.
	OwnsSession(id uuid.UUID) bool
	SessionSuffix() string
	// MakeEvent makes the event at an index, sent at a time. Its payload may use the memory
	// of scratch.
	MakeEvent(index uint64, at time.Time, scratch []byte) event.Event
}

// ReviseEvent gives an event the content that it has after so many edits; 0 leaves it alone.
func ReviseEvent(e *event.Event, revision uint8) {
	if revision > 0 && len(e.Data) > 1 {
		e.Data = fmt.Appendf(e.Data[:len(e.Data)-1:len(e.Data)-1], `,"revision":%d}`, revision)
	}
}

// CompareAPI compares what was sent and told with what is stored. It is called when
// nothing is sent any more.
func CompareAPI(ctx context.Context, l *Journal, source Source, store Store) Result {
	const roomy = 4 << 10
	r := &comparison{journal: l, source: source, scratch: make([]byte, 0, roomy), differences: l.newViolations(false)}
	r.resetSeen()
	err := r.readEvents(ctx, store)
	if err == nil {
		r.findMissingEvents()
	}

	if err == nil && store.Database != nil {
		err = r.checkRunSessions(ctx, store.Database)
	}

	return r.buildResult(err, store.Database != nil)
}

// buildResult is what was found; err says why not everything could be read.
func (r *comparison) buildResult(err error, tables bool) Result {
	counts := r.journal.countVerdictsFrom(r.from)
	result := Result{
		Outcome: Consistent, Acknowledged: counts.Acknowledged(), Found: r.found,
		Unanswered: counts[Unanswered], UnansweredFound: r.unanswered, Rejected: counts.Rejected(),
		Lost: r.lost, Duplicated: r.duplicated, Gaps: r.gaps,
		Differences: r.differences.Count, List: r.differences.First, Tables: tables,
	}
	switch {
	case err != nil:
		result.Outcome, result.Reason = Unreadable, err.Error()
	case result.Differences > 0:
		result.Outcome = Inconsistent
	}

	return result
}

// comparison is a reconciliation while it runs.
type comparison struct {
	journal                *Journal
	source                 Source
	differences            Differences
	found, unanswered      int64
	lost, duplicated, gaps int64
	scratch                []byte
	// from is the first index that is looked at.
	from uint64
	// exclusive tells that nobody else writes to the store.
	exclusive bool
	// application is the number of the application that sent an event; nil does not ask.
	application func(index uint64) int32
}

// readEvents reads what is stored over the time of the run, all of it or none.
func (r *comparison) readEvents(ctx context.Context, store Store) error {
	// A service that says nothing for this long says nothing at all.
	const patience = time.Minute
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	stall := time.AfterFunc(patience, func() { cancel(fmt.Errorf("the service was silent for %s", patience)) })
	defer stall.Stop()

	first, last := r.journal.timeSpan()
	span := url.Values{
		"order": {"asc"},
		"from":  {event.FormatTimestamp(time.UnixMicro(first))},
		"to":    {event.FormatTimestamp(time.UnixMicro(last + 1))},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, store.URL+"/v1/events?"+span.Encode(), nil)
	if err != nil {
		return fmt.Errorf("read the stored events: %w", err)
	}

	request.Header.Set("Authorization", "Bearer "+store.Key)
	request.Header.Set("Accept", "application/x-ndjson")
	response, err := store.Client.Do(request)
	if err != nil {
		return fmt.Errorf("read the stored events: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read

	if response.StatusCode != http.StatusOK {
		const enough = 300
		text, _ := io.ReadAll(io.LimitReader(response.Body, enough)) // what there is of it
		return fmt.Errorf("read the stored events: the service answers %s: %s", response.Status, strings.TrimSpace(string(text)))
	}

	const buffer = 1 << 20
	lines := bufio.NewReaderSize(response.Body, buffer)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}

		if err != nil { // a line without its end is one that was cut off
			return fmt.Errorf("read the stored events: after %d of this run: %w", r.found, errors.Join(err, context.Cause(ctx)))
		}

		stall.Reset(patience)
		var stored storedEvent
		if err := json.Unmarshal(line, &stored); err != nil {
			return fmt.Errorf("read the stored events: %w", err)
		}

		r.compareEvent(&stored)
	}
}

// storedEvent is a stored event as the API gives it.
type storedEvent struct {
	ID        uuid.UUID       `json:"event_id"`
	SessionID uuid.UUID       `json:"session_id"`
	Sequence  int64           `json:"sequence"`
	Category  string          `json:"category"`
	Name      string          `json:"name"`
	Data      json.RawMessage `json:"data"`
	Timestamp time.Time       `json:"timestamp"`
	// Application is its number in the tables; the API gives its name, which is not read.
	Application int32 `json:"-"`
}

func (w *storedEvent) toEvent() event.Event {
	return event.Event{ID: w.ID, SessionID: w.SessionID, Category: w.Category, Name: w.Name, Data: w.Data, Timestamp: w.Timestamp.UTC()}
}

// compareEvent holds a stored event against the ledger.
func (r *comparison) compareEvent(w *storedEvent) {
	index, ours := r.source.IndexOf(w.ID)
	if !ours {
		if r.exclusive {
			r.differences.addDifference("%s: stored in session %s, and nobody sent it", w.ID, w.SessionID)
			return
		}

		if r.source.OwnsSession(w.SessionID) {
			r.differences.addDifference("%s: stored in session %s of this run, which never sent it", w.ID, w.SessionID)
		}

		return
	}

	if index < r.from {
		return
	}

	r.found++
	e := r.journal.findEntry(index)
	if e == nil {
		r.differences.addDifference("%s: stored, and never sent (it would be event %d of this run)", w.ID, index)
		return
	}

	if e.seen < 255 {
		e.seen++
	}

	stored := w.toEvent()
	sent := r.source.MakeEvent(index, time.UnixMicro(e.sent), r.scratch)
	ReviseEvent(&sent, e.revision)
	switch {
	case e.erased || r.journal.isSessionErased(sent.SessionID):
		r.differences.addDifference("%s: found in session %s, and it was erased", w.ID, w.SessionID)
	case r.application != nil && r.application(index) != w.Application:
		r.differences.addDifference("%s: stored as sent by application %d, and application %d sent it", w.ID, w.Application, r.application(index))
	case e.verdict == Conflict || e.verdict == Rejected:
		r.differences.addDifference("%s: stored, and told %q", w.ID, e.verdict)
	case !sameEvent(&sent, &stored):
		r.differences.addDifference("%s: stored with another content: sent %s, stored %s", w.ID, abbreviateEvent(&sent), abbreviateEvent(&stored))
	case e.verdict == Unanswered:
		r.unanswered++
	case e.sequence != 0 && e.sequence != w.Sequence:
		r.differences.addDifference("%s: stored at sequence %d of session %s, told %d", w.ID, w.Sequence, w.SessionID, e.sequence)
	}
}

// abbreviateEvent renders an event for a person to compare.
func abbreviateEvent(e *event.Event) string {
	const enough = 400
	text := traffic.AppendEvent(nil, e)
	if len(text) > enough {
		return string(text[:enough]) + " ..."
	}

	return string(text)
}

// findMissingEvents looks for what should have been found, once.
func (r *comparison) findMissingEvents() {
	for index := r.from; index < r.journal.next.Load(); index++ {
		e := r.journal.findEntry(index)
		if e == nil {
			continue
		}

		switch {
		case e.seen > 1:
			r.duplicated++
			r.differences.addDifference("%s: stored %d times", r.source.ID(index), e.seen)
		case e.seen == 0 && e.verdict.Acknowledged() && !e.erased:
			sent := r.source.MakeEvent(index, time.UnixMicro(e.sent), nil)
			if r.journal.isSessionErased(sent.SessionID) {
				continue
			}

			r.lost++
			r.differences.addDifference("%s: lost: told %q, sequence %d of session %s, and not found at %s",
				sent.ID, e.verdict, e.sequence, sent.SessionID, event.FormatTimestamp(sent.Timestamp))
		}
	}
}

// checkRunSessions asks the database about the run's sessions.
func (r *comparison) checkRunSessions(ctx context.Context, database oracle.Querier) error {
	first, last := r.journal.timeSpan()
	scope := oracle.Scope{Suffix: r.source.SessionSuffix(), From: time.UnixMicro(first), To: time.UnixMicro(last)}
	broken, err := oracle.FindBrokenSessions(ctx, database, scope)
	if err != nil {
		return err
	}

	gaps, err := oracle.FindGaps(ctx, database, scope)
	if err != nil {
		return err
	}

	r.gaps = int64(len(gaps))
	for _, found := range [][]string{broken, gaps} {
		for _, sentence := range found {
			r.differences.addDifference("%s", sentence)
		}
	}

	return nil
}
