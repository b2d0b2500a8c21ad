package export

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrUsage means that the options are invalid.
var ErrUsage = errors.New("the options are invalid")

// ErrUnreachable means that the service could not be reached, or could not answer now.
var ErrUnreachable = errors.New("the service cannot be reached")

// Options select the events and the service.
type Options struct {
	// URL is the address of the service.
	URL string
	// Key is a key with the scope read.
	Key string
	// Filters are the API's filters category, name and application.
	Filters url.Values
	// After is the cursor after which to start; "" starts with the first change.
	After string
	// CursorFile holds the cursor: the export starts from it if After is "", and saves the
	// cursor after each page. "" saves none.
	CursorFile string
	// Follow continues until the context ends, and requests more events once an Interval.
	Follow   bool
	Interval time.Duration
}

// Deps are the dependencies of an export.
type Deps struct {
	Client *http.Client
	// Out receives the events. If it has a Sync method, it is synced before the cursor is saved.
	Out io.Writer
	// After is time.After.
	After func(time.Duration) <-chan time.Time
	// OnError receives the errors after which the export tries again.
	OnError func(error)
	// OnNotice receives the service's notices, such as that events are written again.
	OnNotice func(string)
	// OnProgress, if set, receives the number of written events after each page.
	OnProgress func(events int)
}

// InterruptedError means that the context ended before all events were read. The counted
// events are written completely, and the saved cursor is after them.
type InterruptedError struct {
	Events int
	cause  error
}

// Error says how many events were written.
func (i *InterruptedError) Error() string {
	return fmt.Sprintf("interrupted; events written: %d", i.Events)
}

// Unwrap returns the reason why the context ended.
func (i *InterruptedError) Unwrap() error { return i.cause }

// The pauses between attempts grow up to maxPause.
const maxPause = 30 * time.Second

// Run exports until all events are read, or with Follow until the context ends. With Follow,
// a request that the service cannot answer now is tried again; without it, the end of the
// context is an *InterruptedError.
func Run(ctx context.Context, o Options, d Deps) error {
	target, err := o.changesURL()
	if err != nil {
		return err
	}

	e := &exporter{Options: o, Deps: d, target: target, cursor: o.After}
	if e.cursor == "" && o.CursorFile != "" {
		if e.cursor, err = ReadCursor(o.CursorFile); err != nil {
			return err
		}
	}

	pause := o.Interval
	for {
		err := e.readStream(ctx)
		switch {
		case ctx.Err() != nil && o.Follow:
			return nil
		case err != nil && ctx.Err() != nil:
			return &InterruptedError{e.written, context.Cause(ctx)}
		case err == nil && !o.Follow:
			return nil
		case err == nil:
			pause = o.Interval
		case !o.Follow || !errors.Is(err, ErrUnreachable):
			return err
		default:
			d.OnError(err)
			pause = min(2*max(pause, time.Second), maxPause)
		}

		select {
		case <-d.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

func (o Options) changesURL() (*url.URL, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("%w: the URL of the service must be like http://127.0.0.1:8080", ErrUsage)
	}

	if o.Key == "" {
		return nil, fmt.Errorf("%w: a key with the scope read is needed", ErrUsage)
	}

	return base.JoinPath("v1/events/changes"), nil
}

type exporter struct {
	Options
	Deps

	target  *url.URL
	cursor  string
	written int
}

// streamLine holds the members that distinguish the lines of a stream.
type streamLine struct {
	EventID string `json:"event_id"`
	Next    string `json:"next"`
	// Restarted is set beside Next if events are sent again.
	Restarted struct {
		Reason string `json:"reason"`
	} `json:"restarted"`
}

// readStream reads one stream to its end, and writes each page as soon as it is complete.
func (e *exporter) readStream(ctx context.Context) error {
	response, err := e.requestChanges(ctx)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read

	body := bufio.NewReaderSize(response.Body, 64<<10)
	var page bytes.Buffer
	events := 0
	for {
		text, err := body.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && len(text) == 0 && page.Len() == 0:
			return nil
		case err != nil:
			return fmt.Errorf("%w: the stream broke off: %w", ErrUnreachable, err)
		}

		var l streamLine
		if err := json.Unmarshal(text, &l); err != nil || (l.EventID == "") == (l.Next == "") {
			return fmt.Errorf("the service sent a line that is neither an event nor a cursor: %.200q", text)
		}

		if l.Next == "" {
			page.Write(text)
			events++
			continue
		}

		if l.Restarted.Reason != "" {
			e.OnNotice(l.Restarted.Reason)
		}

		if err := e.writePage(page.Bytes(), l.Next); err != nil {
			return err
		}

		page.Reset()
		e.written += events
		events = 0
		if e.OnProgress != nil {
			e.OnProgress(e.written)
		}
	}
}

// writePage writes a page, and then saves the cursor after it.
func (e *exporter) writePage(page []byte, next string) error {
	if len(page) > 0 {
		if _, err := e.Out.Write(page); err != nil {
			return fmt.Errorf("write events: %w", err)
		}

		if err := syncOutput(e.Out); err != nil {
			return err
		}
	}

	if e.CursorFile != "" && (next != e.cursor || len(page) > 0) {
		if err := writeCursor(e.CursorFile, next); err != nil {
			return err
		}
	}

	e.cursor = next
	return nil
}

func (e *exporter) requestChanges(ctx context.Context) (*http.Response, error) {
	query := url.Values{}
	maps.Copy(query, e.Filters)
	if e.cursor != "" {
		query.Set("after", e.cursor)
	}

	target := *e.target
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}

	request.Header.Set("Authorization", "Bearer "+e.Key)
	request.Header.Set("Accept", "application/x-ndjson")
	response, err := e.Client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}

	if response.StatusCode == http.StatusOK {
		return response, nil
	}

	defer response.Body.Close() //nolint:errcheck // it was only read

	return nil, responseError(response)
}

// responseError returns the service's own message as an error.
func responseError(response *http.Response) error {
	const maxBody = 64 << 10
	var problem struct {
		Detail string `json:"detail"`
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil || json.Unmarshal(text, &problem) != nil || problem.Detail == "" {
		problem.Detail = strings.TrimSpace(string(text[:min(len(text), 200)]))
	}

	err = fmt.Errorf("the service answered %s: %s", response.Status, problem.Detail)
	if response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}

	return err
}
