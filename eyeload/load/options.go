package load

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/report"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
)

// The errors of a run that could not be done.
var (
	// ErrOptions means that the options cannot be used.
	ErrOptions = errors.New("invalid arguments")
	// ErrUnreachable means that there is no service at the URL.
	ErrUnreachable = errors.New("the service cannot be reached")
	// ErrKeyRejected means that the service does not accept a key.
	ErrKeyRejected = errors.New("the service rejects")
)

// The kinds of traffic.
const (
	KindSessions = "sessions"
	KindHot      = "hot"
	KindFile     = "file"
)

// Options say which traffic to send, how and where to, and which limits to keep.
type Options struct {
	// URL is the service's base URL.
	URL string
	// IngestKey is the key for sending, and ReadKey the key for reconciling.
	IngestKey, ReadKey string
	// DatabaseURL is the database in which the run's sessions are checked, unless it is empty.
	DatabaseURL string

	// Kind is the kind of traffic, Sessions the number of concurrent sessions of the kind
	// sessions, and Recording the text that the kind file sends.
	Kind      string
	Sessions  int
	Recording []byte
	Seed      uint64

	// Rates are in requests a second. Each is a step of the length Duration.
	Rates    []float64
	Duration time.Duration
	// Batch is the number of events in a request.
	Batch        int
	NDJSON, Gzip bool

	// KeepAlive reuses connections.
	KeepAlive bool
	// Authorities are PEM certificates to verify HTTPS with; empty stands for the system's.
	Authorities []byte
	// Timeout bounds a request.
	Timeout time.Duration
	// Connections bounds the number of connections; 0 means no limit. A request that waits for
	// a connection is late.
	Connections int
	// Workers bounds the requests in flight.
	Workers int

	// Retry sends unanswered events again, after the attack.
	Retry bool
	// Reconcile compares with the store at the end.
	Reconcile bool
	Limits    report.Limits

	// FindMax searches for the highest rate instead of running the steps. Each try takes Try.
	FindMax bool
	Try     time.Duration
}

// Deps are the dependencies of a run.
type Deps struct {
	Now func() time.Time
	// Progress gets a line every second.
	Progress io.Writer
	// Stop ends the sending early when it is closed; the sent events are still reconciled.
	Stop <-chan struct{}
}

// validate returns an error that names all problems of the options.
func (o *Options) validate() error {
	var wrong []string
	reject := func(when bool, format string, arguments ...any) {
		if when {
			wrong = append(wrong, fmt.Sprintf(format, arguments...))
		}
	}

	base, err := url.Parse(o.URL)
	reject(err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https"), "%q is not a URL such as http://127.0.0.1:8080", o.URL)
	reject(o.IngestKey == "", "there is no ingest key")
	reject(o.Reconcile && o.ReadKey == "", "there is no read key for the reconciliation; set one, or do not reconcile")
	reject(len(o.Rates) == 0, "there is no rate")
	for _, rate := range o.Rates {
		reject(!(rate > 0) || math.IsInf(rate, 0), "a rate of %v requests/s", rate)
	}

	reject(o.Batch < 1, "a batch of %d events", o.Batch)
	reject(o.Timeout <= 0, "a timeout of %s", o.Timeout)
	reject(o.Connections < 0, "%d connections", o.Connections)
	reject(o.Workers < 1, "%d workers", o.Workers)
	reject(o.Limits.MaxP99 < 0, "the highest p99 is negative")
	reject(o.Limits.MinRate < 0 || o.Limits.MinRate > 1, "the lowest rate has to be a share of the requested rate, from 0 to 1")
	reject(o.FindMax && o.Limits.MaxP99 <= 0, "a search for the highest rate needs a highest p99")
	reject(o.FindMax && o.Try <= 0, "a try of %s", o.Try)
	reject(!o.FindMax && o.Duration <= 0, "a duration of %s", o.Duration)
	reject(!slices.Contains([]string{KindSessions, KindHot, KindFile}, o.Kind), "there is no kind of traffic %q", o.Kind)
	if len(wrong) == 0 && !o.FindMax {
		events := 0.0
		for _, rate := range o.Rates {
			events += math.Ceil(rate*o.Duration.Seconds()) * float64(o.Batch)
		}

		reject(events > float64(traffic.MaxEvents) || !reconcile.HasRoom(uint64(events)), "%.3g events are too many for one run", events)
	}

	if len(wrong) > 0 {
		return fmt.Errorf("%w: %s", ErrOptions, strings.Join(wrong, "; "))
	}

	return nil
}

// newSource makes the source of the traffic.
func (o *Options) newSource(started time.Time) (source *traffic.Source, err error) {
	run := traffic.NewRun(o.Seed, started)
	switch o.Kind {
	case KindHot:
		return traffic.NewHot(run), nil
	case KindFile:
		source, err = traffic.NewRecording(run, o.Recording)
	default:
		source, err = traffic.NewSessions(run, o.Sessions)
	}

	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}

	return source, nil
}

// tlsConfig returns the settings of HTTPS.
func (o *Options) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(o.Authorities) == 0 {
		return c, nil
	}

	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(o.Authorities) {
		return nil, fmt.Errorf("%w: the file of authorities contains no PEM certificate", ErrOptions)
	}

	return c, nil
}

// encodingName names the encoding of the events.
func (o *Options) encodingName() string {
	name := "json"
	if o.NDJSON {
		name = "ndjson"
	}

	if o.Gzip {
		name += ", gzipped"
	}

	return name
}
