package ingest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// measured returns a running collector and a reader of its metrics.
func measured(t *testing.T, c ingest.Config, store ingest.Store, types ...ingest.EventType) (*ingest.Collector, *sdk.ManualReader) {
	t.Helper()
	reader := sdk.NewManualReader()
	metrics, err := ingest.NewMetrics(t.Context(), sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("test"), types)
	require.NoError(t, err)
	made := ingest.New(c, ingest.Deps{
		Store: store, Logger: zap.NewNop(), NewID: func() uuid.UUID { return uuid.Must(uuid.NewV7()) }, Now: time.Now, Metrics: metrics,
	})
	require.NoError(t, made.RegisterGauges())
	made.Start(t.Context())
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		made.Stop(ended)
	})
	return made, reader
}

// collect returns the sums of counters and gauges and the counts of histograms, by name and
// attributes.
func collect(t *testing.T, reader *sdk.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	found := map[string]int64{}
	key := func(name string, set attribute.Set) string {
		return name + "{" + set.Encoded(attribute.DefaultEncoder()) + "}"
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, point := range data.DataPoints {
					found[key(m.Name, point.Attributes)] += point.Value
				}
			case metricdata.Gauge[int64]:
				for _, point := range data.DataPoints {
					found[key(m.Name, point.Attributes)] = point.Value
				}
			case metricdata.Histogram[int64]:
				for _, point := range data.DataPoints {
					found[key(m.Name, point.Attributes)] = int64(point.Count)
				}
			case metricdata.Histogram[float64]:
				for _, point := range data.DataPoints {
					found[key(m.Name, point.Attributes)] = int64(point.Count)
				}
			default:
				t.Fatalf("%T", data)
			}
		}
	}

	return found
}

func from(application string, envelopes ...event.Envelope) *ingest.Request {
	r := request(envelopes...)
	r.ApplicationName = application
	return r
}

// Every verdict is counted under its application, rejections by their code, bytes as sent, and
// types only if they are listed.
func TestVerdictsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, reader := measured(t, config(), newFake(), ingest.EventType{Category: "page", Name: "view"})
		bad := good(uuid.New())
		bad.Reject(fault.CodeTimestampInFuture, "/timestamp", "it lies in the future")
		other := good(uuid.New())
		other.Event.Name = "something else"
		for _, r := range []*ingest.Request{
			from("shop", good(uuid.New()), bad, with(`{"conflict":1}`)), from("shop", good(uuid.New())), from("blog", good(uuid.New()), other),
		} {
			_, err := c.Submit(t.Context(), r)
			require.NoError(t, err)
		}

		synctest.Wait()
		found := collect(t, reader)
		for series, value := range map[string]int64{
			"theeye.ingest.events{application=shop,status=stored}":                2,
			"theeye.ingest.events{application=shop,status=rejected}":              1,
			"theeye.ingest.events{application=shop,status=conflict}":              1,
			"theeye.ingest.events{application=blog,status=stored}":                2,
			"theeye.ingest.event{application=shop}":                               2 * int64(len(`{"sent":1}`)),
			"theeye.ingest.event{application=blog}":                               2 * int64(len(`{"sent":1}`)),
			"theeye.ingest.refusals{application=shop,code=timestamp_in_future}":   1,
			"theeye.ingest.refusals{application=shop,code=event_id_conflict}":     1,
			"theeye.ingest.typed.events{category=page,name=view,status=stored}":   3,
			"theeye.ingest.typed.events{category=other,name=other,status=stored}": 1,
			"theeye.ingest.group.events{}":                                        3,
			"theeye.ingest.wait.duration{}":                                       3,
			"theeye.ingest.commit.duration{outcome=committed}":                    3,
			"theeye.ingest.budget.left.ratio{}":                                   3,
			"theeye.ingest.queue.events{}":                                        0,
			"theeye.ingest.queue.limit.events{}":                                  1000,
			"theeye.ingest.queue.limit{}":                                         1 << 20,
			"theeye.ingest.typed.events{category=page,name=view,status=rejected}": 1,
			"theeye.ingest.typed.events{category=page,name=view,status=conflict}": 1,
		} {
			require.Equal(t, value, found[series], "%s in %v", series, found)
		}
	})
}

// Requests that are shed without verdicts are counted by the reason.
func TestShedRequestsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bounded := config()
		bounded.QueueEvents = 2
		store := newHeldFake()
		c, reader := measured(t, bounded, store)
		first := submitted(t, c, t.Context(), from("shop", good(uuid.New())))
		<-store.entered
		gone, leave := context.WithCancel(t.Context())
		second := submitted(t, c, gone, from("shop", good(uuid.New())))
		_, err := c.Submit(t.Context(), from("shop", good(uuid.New())))
		requireUnavailable(t, err, fault.CodeOverloaded)
		leave()
		requireUnavailable(t, (<-second).err, fault.CodeUnavailable)
		store.proceed <- errTest
		requireUnavailable(t, (<-first).err, fault.CodeUnavailable)
		third := submitted(t, c, t.Context(), from("shop", good(uuid.New())))
		<-store.entered
		<-time.After(bounded.Budget)
		requireUnavailable(t, (<-third).err, fault.CodeUnavailable)
		synctest.Wait()
		c.Stop(t.Context())
		_, err = c.Submit(t.Context(), from("shop", good(uuid.New())))
		require.Error(t, err)
		found := collect(t, reader)
		for _, reason := range []string{"client_gone", "store", "budget", "stopping"} {
			require.Equal(t, int64(1), found["theeye.ingest.shed.requests{reason="+reason+"}"], "%s in %v", reason, found)
		}

		require.Equal(t, int64(1), found["theeye.ingest.shed.requests{reason=queue_full}"], "%v", found)
		require.Equal(t, int64(2), found["theeye.ingest.commit.duration{outcome=failed}"])
		require.Empty(t, found["theeye.ingest.events{application=shop,status=stored}"])
	})
}

// A request that fails in part has to be sent again, and then its events are counted: what was
// stored of it before is not counted twice.
func TestEventsOfAFailedRequestAreNotCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c, reader := measured(t, config(), store)
		failed := submitted(t, c, t.Context(), from("shop", good(uuid.New()), good(uuid.New())))
		for _, outcome := range []error{ingest.ErrNotStorable, nil, errTest} { // of both, of the first, of the second
			<-store.entered
			store.proceed <- outcome
		}

		requireUnavailable(t, (<-failed).err, fault.CodeUnavailable)
		require.Equal(t, []int{1}, store.sizes())
		synctest.Wait()
		require.Zero(t, collect(t, reader)["theeye.ingest.events{application=shop,status=stored}"])
	})
}

// A request whose client no longer waits is not stored, and the group that is committed in its
// place does not count as a failure.
func TestAbandonedRequestsSpoilNoGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newHeldFake()
		c, reader := measured(t, config(), store)
		first := submitted(t, c, t.Context(), from("shop", good(uuid.New())))
		<-store.entered
		gone, leave := context.WithCancel(t.Context())
		abandoned := submitted(t, c, gone, from("shop", good(uuid.New())))
		second := submitted(t, c, t.Context(), from("shop", good(uuid.New())))
		leave()
		requireUnavailable(t, (<-abandoned).err, fault.CodeUnavailable)
		for _, answered := range []<-chan answer{first, second} {
			store.proceed <- nil
			require.NoError(t, (<-answered).err)
			if answered == first {
				require.Equal(t, 1, <-store.entered, "only the request whose client still waits")
			}
		}

		synctest.Wait()
		found := collect(t, reader)
		require.Equal(t, int64(2), found["theeye.ingest.commit.duration{outcome=committed}"], "%v", found)
		require.Zero(t, found["theeye.ingest.commit.duration{outcome=failed}"])
		require.Equal(t, int64(2), found["theeye.ingest.wait.duration{}"])
	})
}
