package load

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
)

// eventSender builds requests and sends them.
type eventSender struct {
	url    string
	header http.Header
	batch  int
	ndjson bool
	gzip   bool

	source  *traffic.Source
	journal *reconcile.Journal
	now     func() time.Time
	// transport is shared by all steps, so that they share connections.
	transport *http.Transport
}

func newEventSender(o *Options, source *traffic.Source, journal *reconcile.Journal, now func() time.Time) (*eventSender, error) {
	config, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}

	p := &eventSender{
		url:     o.URL + "/v1/events",
		header:  http.Header{},
		batch:   o.Batch,
		ndjson:  o.NDJSON,
		gzip:    o.Gzip,
		source:  source,
		journal: journal,
		now:     now,
		transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: o.Timeout}).DialContext,
			TLSClientConfig:     config,
			DisableCompression:  true,
			DisableKeepAlives:   !o.KeepAlive,
			MaxConnsPerHost:     o.Connections,
			MaxIdleConnsPerHost: o.Workers,
		},
	}

	p.header.Set("Authorization", "Bearer "+o.IngestKey)
	p.header.Set("Content-Type", "application/json")
	if o.NDJSON {
		p.header.Set("Content-Type", "application/x-ndjson")
	}

	if o.Gzip {
		p.header.Set("Content-Encoding", "gzip")
	}

	return p, nil
}

// newClient returns a client that sends through a transport and follows no redirects: the
// events are meant for this service alone.
func (p *eventSender) newClient(through http.RoundTripper, timeout time.Duration) *http.Client {
	return &http.Client{
		Transport:     through,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// isSingle reports whether a request is a single event and not a batch.
func (p *eventSender) isSingle() bool { return p.batch == 1 && !p.ndjson }

// renderBody renders events, each with its timestamp, as the body of one request.
func (p *eventSender) renderBody(indexes []uint64) ([]byte, error) {
	const typical, roomy = 600, 4 << 10

	text := make([]byte, 0, typical*len(indexes))
	scratch := make([]byte, 0, roomy)
	array := !p.isSingle() && !p.ndjson
	if array {
		text = append(text, '[')
	}

	for i, index := range indexes {
		micros, _ := p.journal.SentAt(index)
		e := p.source.MakeEvent(index, time.UnixMicro(micros), scratch)
		if array && i > 0 {
			text = append(text, ',')
		}

		text = traffic.AppendEvent(text, &e)
		if p.ndjson {
			text = append(text, '\n')
		}
	}

	if array {
		text = append(text, ']')
	}

	if !p.gzip {
		return text, nil
	}

	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err == nil {
		_, err = w.Write(text)
	}

	if err == nil {
		err = w.Close()
	}

	if err != nil {
		return nil, fmt.Errorf("compress a request: %w", err)
	}

	return packed.Bytes(), nil
}

// setBody sets the body and the headers of a request.
func (p *eventSender) setBody(request *http.Request, body []byte) {
	request.Header = p.header

	// With GetBody, a connection that the service closed while it was idle is not an error.
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	request.Body = io.NopCloser(bytes.NewReader(body))
	request.ContentLength = int64(len(body))
}

// stepTransport is the transport of a step: vegeta sends empty requests, and each is filled
// with the events of its number when it is sent.
type stepTransport struct {
	*eventSender
	// first is the index of the step's first event.
	first uint64

	sent, bytesOut atomic.Int64
	// last is the approximate time of the last request, in microseconds.
	last atomic.Int64
}

// vegetaSequence is the header in which vegeta numbers the requests.
const vegetaSequence = "X-Vegeta-Seq"

// RoundTrip implements http.RoundTripper.
func (v *stepTransport) RoundTrip(empty *http.Request) (*http.Response, error) {
	n, err := strconv.ParseUint(empty.Header.Get(vegetaSequence), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read the number of a request: %w", err)
	}

	v.sent.Add(1)
	indexes := v.requestIndexes(n)
	micros := v.now().UnixMicro()
	v.last.Store(micros)
	for _, index := range indexes {
		v.journal.RecordSending(index, micros)
	}

	body, err := v.renderBody(indexes)
	if err != nil {
		return nil, err
	}

	request := empty.WithContext(empty.Context()) // a copy; vegeta keeps its own
	v.setBody(request, body)
	v.bytesOut.Add(int64(len(body)))

	return v.transport.RoundTrip(request) //nolint:wrapcheck // the http.Client adds the context
}

// requestIndexes returns the indexes of the events in the step's n-th request.
func (v *stepTransport) requestIndexes(n uint64) []uint64 {
	indexes := make([]uint64, v.batch)
	for i := range indexes {
		indexes[i] = v.first + n*uint64(len(indexes)) + uint64(i)
	}

	return indexes
}
