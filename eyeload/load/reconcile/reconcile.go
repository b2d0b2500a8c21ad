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
	"github.com/the-eye-events/the-eye/internal/testing/oracle"
)

// Outcome is the result of a reconciliation.
type Outcome string

// The outcomes.
const (
	// Consistent means that every acknowledged event is stored as acknowledged, and nothing else.
	Consistent Outcome = "consistent"
	// Inconsistent means that there are differences.
	Inconsistent Outcome = "inconsistent"
	// Unreadable means that the store could not be read to the end, so the result is unknown.
	Unreadable Outcome = "unreadable"
	// Skipped means that there was no reconciliation.
	Skipped Outcome = "skipped"
)

// Result is the result of a reconciliation, for the report.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// Acknowledged is the number of acknowledged events, and Found the number of the run's
	// events in the store.
	Acknowledged int64 `json:"acknowledged"`
	Found        int64 `json:"found"`
	// Unanswered is the number of events without a verdict, and UnansweredFound the number of
	// those that are stored.
	Unanswered      int64 `json:"unanswered"`
	UnansweredFound int64 `json:"unanswered_found"`
	Rejected        int64 `json:"refused"`
	// Lost, Duplicated and Gaps count the gravest differences: events that were acknowledged
	// and not found, or found more than once, and sessions whose sequences are not 1 to n.
	Lost       int64 `json:"lost"`
	Duplicated int64 `json:"duplicated"`
	Gaps       int64 `json:"gaps"`
	// Differences counts all differences; List has the first of them.
	Differences int64    `json:"differences"`
	List        []string `json:"list,omitempty"`
	// Tables says whether the database was checked, too.
	Tables bool `json:"tables"`
	// Reason says why the store could not be read.
	Reason  string  `json:"reason,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Store is the store to read.
type Store struct {
	// URL is the service's base URL, and Key a key that may read the run's application.
	URL, Key string
	// Client sends the request; it must not bound the time of the whole answer.
	Client *http.Client
	// Database is the database in which the run's sessions are checked; nil skips that.
	Database oracle.Querier
}

// Source makes the events of a run; *traffic.Source implements it.
type Source interface {
	// ID returns the id of the event at an index, and IndexOf the index of an id.
	ID(index uint64) uuid.UUID
	IndexOf(id uuid.UUID) (index uint64, own bool)
	// OwnsSession reports whether a session belongs to the run, and SessionSuffix returns the
	// end of the ids of all its sessions.
	OwnsSession(id uuid.UUID) bool
	SessionSuffix() string
	// MakeEvent makes the event at an index, sent at a time. Its payload may use the memory of
	// scratch.
	MakeEvent(index uint64, at time.Time, scratch []byte) event.Event
}

// ReviseEvent changes the payload of an event to a revision; 0 leaves it unchanged.
func ReviseEvent(e *event.Event, revision uint8) {
	if revision > 0 && len(e.Data) > 1 {
		e.Data = fmt.Appendf(e.Data[:len(e.Data)-1:len(e.Data)-1], `,"revision":%d}`, revision)
	}
}

// CompareAPI compares the journal with the stored events. It is called after the sending has
// ended.
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

// buildResult builds the result; err says why the store could not be read completely.
func (r *comparison) buildResult(err error, tables bool) Result {
	counts := r.journal.countVerdictsFrom(r.from)

	result := Result{
		Outcome:         Consistent,
		Acknowledged:    counts.Acknowledged(),
		Found:           r.found,
		Unanswered:      counts[Unanswered],
		UnansweredFound: r.unanswered,
		Rejected:        counts.Rejected(),
		Lost:            r.lost,
		Duplicated:      r.duplicated,
		Gaps:            r.gaps,
		Differences:     r.differences.Count,
		List:            r.differences.First,
		Tables:          tables,
	}

	switch {
	case err != nil:
		result.Outcome = Unreadable
		result.Reason = err.Error()
	case result.Differences > 0:
		result.Outcome = Inconsistent
	}

	return result
}

// comparison is the state of a reconciliation.
type comparison struct {
	journal                *Journal
	source                 Source
	differences            Differences
	found, unanswered      int64
	lost, duplicated, gaps int64
	scratch                []byte
	// from is the first index that is compared.
	from uint64
	// exclusive is true when the run is the only writer of the store.
	exclusive bool
	// application returns the id of the application that sent an event; nil skips the check.
	application func(index uint64) int32
}

// readEvents reads all events that are stored in the time span of the run.
func (r *comparison) readEvents(ctx context.Context, store Store) error {
	// A service that is silent for this long will not continue.
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
	defer response.Body.Close() //nolint:errcheck // the body was read

	if response.StatusCode != http.StatusOK {
		const enough = 300
		text, _ := io.ReadAll(io.LimitReader(response.Body, enough)) // as much as can be read
		return fmt.Errorf("read the stored events: the service answered %s: %s", response.Status, strings.TrimSpace(string(text)))
	}

	const buffer = 1 << 20
	lines := bufio.NewReaderSize(response.Body, buffer)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}

		if err != nil { // a line without an end was cut off
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

// storedEvent is a stored event in the form of the API.
type storedEvent struct {
	ID        uuid.UUID       `json:"event_id"`
	SessionID uuid.UUID       `json:"session_id"`
	Sequence  int64           `json:"sequence"`
	Category  string          `json:"category"`
	Name      string          `json:"name"`
	Data      json.RawMessage `json:"data"`
	Timestamp time.Time       `json:"timestamp"`
	// Application is the application's id in the tables; the API has its name, which is not
	// read.
	Application int32 `json:"-"`
}

func (w *storedEvent) toEvent() event.Event {
	return event.Event{
		ID:        w.ID,
		SessionID: w.SessionID,
		Category:  w.Category,
		Name:      w.Name,
		Data:      w.Data,
		Timestamp: w.Timestamp.UTC(),
	}
}

// compareEvent compares a stored event with the journal.
func (r *comparison) compareEvent(w *storedEvent) {
	index, own := r.source.IndexOf(w.ID)
	if !own {
		if r.exclusive {
			r.differences.addDifference("%s: stored in session %s, and not sent by this run", w.ID, w.SessionID)
			return
		}

		if r.source.OwnsSession(w.SessionID) {
			r.differences.addDifference("%s: stored in session %s of this run, and never sent", w.ID, w.SessionID)
		}

		return
	}

	if index < r.from {
		return
	}

	r.found++
	e := r.journal.findEntry(index)
	if e == nil {
		r.differences.addDifference("%s: stored, and never sent (event %d of this run)", w.ID, index)
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
		r.differences.addDifference("%s: erased, and found in session %s", w.ID, w.SessionID)
	case r.application != nil && r.application(index) != w.Application:
		r.differences.addDifference("%s: stored with application %d, and sent by application %d", w.ID, w.Application, r.application(index))
	case e.verdict == Conflict || e.verdict == Rejected:
		r.differences.addDifference("%s: stored, and answered %q", w.ID, e.verdict)
	case !sameEvent(&sent, &stored):
		r.differences.addDifference("%s: stored with other content: sent %s, stored %s", w.ID, abbreviateEvent(&sent), abbreviateEvent(&stored))
	case e.verdict == Unanswered:
		r.unanswered++
	case e.sequence != 0 && e.sequence != w.Sequence:
		r.differences.addDifference("%s: stored at sequence %d of session %s, acknowledged with %d", w.ID, w.Sequence, w.SessionID, e.sequence)
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

// findMissingEvents finds acknowledged events that are missing, and events that were found more
// than once.
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
			r.differences.addDifference("%s: lost: answered %q, sequence %d of session %s, and not found at %s",
				sent.ID, e.verdict, e.sequence, sent.SessionID, event.FormatTimestamp(sent.Timestamp))
		}
	}
}

// checkRunSessions checks the run's sessions in the database.
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
