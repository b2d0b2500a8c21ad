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

// Errors of a run that could not do what it was asked.
var (
	// ErrOptions: what was asked for makes no sense.
	ErrOptions = errors.New("the arguments cannot be understood")
	// ErrUnreachable: there is no service at the URL.
	ErrUnreachable = errors.New("the service cannot be reached")
	// ErrRefused: the service does not accept a key.
	ErrKeyRejected = errors.New("the service refuses")
)

// The kinds of traffic.
const (
	KindSessions = "sessions"
	KindHot      = "hot"
	KindFile     = "file"
)

// Options say what to send, how, where to, and what has to hold.
type Options struct {
	// URL is the service's base URL.
	URL string
	// IngestKey sends, ReadKey reconciles.
	IngestKey, ReadKey string
	// DatabaseURL is asked about the run's sessions, unless it is empty.
	DatabaseURL string

	// Kind is the kind of traffic, Sessions how many there are at once in the kind
	// sessions, Recording the text that the kind file replays.
	Kind      string
	Sessions  int
	Recording []byte
	Seed      uint64

	// Rates are in requests a second, one step each of the length Duration.
	Rates    []float64
	Duration time.Duration
	// Batch is how many events a request has.
	Batch        int
	NDJSON, Gzip bool

	// KeepAlive uses connections again.
	KeepAlive bool
	// Authorities are PEM certificates that HTTPS is checked by; empty takes the
	// system's.
	Authorities []byte
	// Timeout bounds a request.
	Timeout time.Duration
	// Connections bounds the connections; 0 does not. A request that waits for one
	// is late.
	Connections int
	// Workers bounds the requests in flight.
	Workers int

	// Retry sends unanswered events again, after the attack.
	Retry bool
	// Reconcile compares with the store at the end.
	Reconcile bool
	Limits    report.Limits

	// FindMax searches for the highest rate in place of the steps, each try as long
	// as Try.
	FindMax bool
	Try     time.Duration
}

// Deps are what a run is handed.
type Deps struct {
	Now func() time.Time
	// Progress gets a line every second.
	Progress io.Writer
	// Stop ends the sending early when it is closed; what was sent is reconciled.
	Stop <-chan struct{}
}

// validate finds all that is wrong with the options.
func (o *Options) validate() error {
	var wrong []string
	refuse := func(when bool, format string, arguments ...any) {
		if when {
			wrong = append(wrong, fmt.Sprintf(format, arguments...))
		}
	}
	base, err := url.Parse(o.URL)
	refuse(err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https"), "the URL %q is not one such as http://127.0.0.1:8080", o.URL)
	refuse(o.IngestKey == "", "there is no key to send with")
	refuse(o.Reconcile && o.ReadKey == "", "there is no read key to reconcile with; give one, or do not reconcile")
	refuse(len(o.Rates) == 0, "there is no rate")
	for _, rate := range o.Rates {
		refuse(!(rate > 0) || math.IsInf(rate, 0), "a rate of %v requests/s", rate)
	}

	refuse(o.Batch < 1, "a batch of %d events", o.Batch)
	refuse(o.Timeout <= 0, "a timeout of %s", o.Timeout)
	refuse(o.Connections < 0, "%d connections", o.Connections)
	refuse(o.Workers < 1, "%d workers", o.Workers)
	refuse(o.Limits.MaxP99 < 0, "the highest p99 is no negative time")
	refuse(o.Limits.MinRate < 0 || o.Limits.MinRate > 1, "the lowest rate is a share of the asked one, from 0 to 1")
	refuse(o.FindMax && o.Limits.MaxP99 <= 0, "a search for the highest rate needs a highest p99")
	refuse(o.FindMax && o.Try <= 0, "a try of %s", o.Try)
	refuse(!o.FindMax && o.Duration <= 0, "a duration of %s", o.Duration)
	refuse(!slices.Contains([]string{KindSessions, KindHot, KindFile}, o.Kind), "no kind of traffic is named %q", o.Kind)
	if len(wrong) == 0 && !o.FindMax {
		events := 0.0
		for _, rate := range o.Rates {
			events += math.Ceil(rate*o.Duration.Seconds()) * float64(o.Batch)
		}

		refuse(events > float64(traffic.MaxEvents) || !reconcile.HasRoom(uint64(events)), "%.3g events are too many for one run", events)
	}

	if len(wrong) > 0 {
		return fmt.Errorf("%w: %s", ErrOptions, strings.Join(wrong, "; "))
	}

	return nil
}

// newSource makes the traffic that the options ask for.
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

// tlsConfig makes the settings of HTTPS.
func (o *Options) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(o.Authorities) == 0 {
		return c, nil
	}

	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(o.Authorities) {
		return nil, fmt.Errorf("%w: the file of authorities holds no PEM certificate", ErrOptions)
	}

	return c, nil
}

// encodingName says how the events are written.
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
