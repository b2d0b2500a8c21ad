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

// ErrUsage tells that the options cannot be understood.
var ErrUsage = errors.New("the options cannot be understood")

// ErrUnreachable tells that the service could not be asked, or could not answer now.
var ErrUnreachable = errors.New("the service cannot be reached")

// Options say what is exported.
type Options struct {
	// URL is where the service listens, and Key one that may read.
	URL, Key string
	// Filters are category, name and application, as the API has them.
	Filters url.Values
	// After is the cursor to begin behind; "" begins with the first change.
	After string
	// CursorFile keeps the cursor: it is begun from if After is "", and written after
	// each page. "" keeps none.
	CursorFile string
	// Follow goes on until the context ends, and asks for more once an Interval.
	Follow   bool
	Interval time.Duration
}

// Deps are what an export works with.
type Deps struct {
	Client *http.Client
	// Out gets the events. One that has a Sync is synced before a cursor is kept.
	Out io.Writer
	// After waits.
	After func(time.Duration) <-chan time.Time
	// OnError hears what goes wrong and is tried again.
	OnError func(error)
	// OnNotice hears what the service says of the export: that events are written again.
	OnNotice func(string)
	// OnProgress, if it is there, hears after each page how many events were written.
	OnProgress func(events int)
}

// InterruptedError tells that the context ended before all was read. What it counts was written
// whole, and the cursor that is kept is behind it.
type InterruptedError struct {
	Events int
	cause  error
}

// Error says how far the export came.
func (i *InterruptedError) Error() string {
	return fmt.Sprintf("interrupted; events written: %d", i.Events)
}

// Unwrap returns why the context ended.
func (i *InterruptedError) Unwrap() error { return i.cause }

// The times between attempts grow up to the longest.
const maxPause = 30 * time.Second

// Run exports until everything was read that there is to read, or, when it follows,
// until the context ends. When it follows, what a service cannot answer now is tried again;
// when it does not, the end of the context is an *InterruptedError.
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
		return nil, fmt.Errorf("%w: the URL of the service is like http://127.0.0.1:8080", ErrUsage)
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

// streamLine is what tells the lines of a stream apart.
type streamLine struct {
	EventID string `json:"event_id"`
	Next    string `json:"next"`
	// Restarted stands beside Next where events are given again.
	Restarted struct {
		Reason string `json:"reason"`
	} `json:"restarted"`
}

// readStream reads one stream to its end, and writes each page as soon as it is whole.
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
			return fmt.Errorf("%w: the stream was cut off: %w", ErrUnreachable, err)
		}

		var l streamLine
		if err := json.Unmarshal(text, &l); err != nil || (l.EventID == "") == (l.Next == "") {
			return fmt.Errorf("the service sent what is neither an event nor a cursor: %.200q", text)
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
		e.written, events = e.written+events, 0
		if e.OnProgress != nil {
			e.OnProgress(e.written)
		}
	}
}

// writePage writes a page, and then the cursor behind it.
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

// responseError says what the service says.
func responseError(response *http.Response) error {
	const most = 64 << 10
	var problem struct {
		Detail string `json:"detail"`
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil || json.Unmarshal(text, &problem) != nil || problem.Detail == "" {
		problem.Detail = strings.TrimSpace(string(text[:min(len(text), 200)]))
	}

	refused := fmt.Errorf("the service answered %s: %s", response.Status, problem.Detail)
	if response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests {
		return fmt.Errorf("%w: %w", ErrUnreachable, refused)
	}

	return refused
}
