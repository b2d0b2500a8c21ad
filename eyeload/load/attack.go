package load

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/the-eye-events/the-eye/eyeload/load/report"
)

// runStep sends a step and waits for its answers. When ctx ends it stops sending, and still
// waits for the requests in flight.
func (r *run) runStep(ctx context.Context, rate float64, length time.Duration) report.Step {
	schedule := NewSchedule(rate, length, r.Timeout, r.Now)
	v := &stepTransport{eventSender: r.eventSender, first: r.next}
	r.next += schedule.Total() * uint64(r.Batch) //nolint:gosec // at least 1
	t := newTally(rate)

	const atFirst = 16
	attacker := vegeta.NewAttacker(
		vegeta.Client(r.newClient(v, r.Timeout)), vegeta.Workers(uint64(min(atFirst, r.Workers))), vegeta.MaxWorkers(uint64(r.Workers))) //nolint:gosec // at least 1

	begun := r.Now()
	results := attacker.Attack(vegeta.NewStaticTargeter(vegeta.Target{Method: "POST", URL: v.url}), schedule, 0, "")
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()

	var answered atomic.Int64
	finished := make(chan struct{})
	var watching, reading sync.WaitGroup
	watching.Go(func() { r.reportProgress(finished, t, v, &answered, rate) })
	for range runtime.GOMAXPROCS(0) {
		reading.Go(func() {
			for result := range results {
				counts := v.recordAnswer(v.requestIndexes(result.Seq), int(result.Code), result.Body)
				answered.Add(1)
				t.countAnswer(result, schedule.latenessOf(result.Seq, result.End()), &counts)
			}
		})
	}

	reading.Wait()
	close(finished)
	watching.Wait()

	untilLastAnswer := r.Now().Sub(begun)
	unsent := int64(schedule.Total()) - v.sent.Load() //nolint:gosec // bounded by the options
	sending := max(schedule.Length(), time.UnixMicro(v.last.Load()).Sub(begun))
	if ctx.Err() != nil {
		sending = min(sending, untilLastAnswer)
		unsent = 0
	}

	return t.buildStep(sending, untilLastAnswer, unsent, v.bytesOut.Load())
}

// reportProgress prints and records the progress every second.
func (r *run) reportProgress(finished <-chan struct{}, t *tally, v *stepTransport, answered *atomic.Int64, rate float64) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()

	before := r.Now()
	sentBefore := int64(0)
	for ended := false; !ended; {
		select {
		case <-ticker.C:
		case <-finished:
			ended = true
		}

		now := r.Now()
		sent := v.sent.Load()
		w := t.takeWindow()
		s := report.Second{
			At:       now.Sub(r.started).Seconds(),
			Length:   now.Sub(before).Seconds(),
			Step:     r.steps,
			Asked:    rate,
			InFlight: sent - answered.Load(),
			OK:       w.ok,
			Other:    w.other,
		}

		const shortest = 0.2
		if ended && s.Length < shortest {
			return // too short for a rate
		}

		s.Reached = float64(sent-sentBefore) / s.Length
		if w.latency.TotalCount() > 0 {
			l := report.SummarizeLatency(w.latency)
			s.P50 = l.P50
			s.P99 = l.P99
			s.Max = l.Max
		}

		before = now
		sentBefore = sent
		r.report.Timeline = append(r.report.Timeline, s)
		r.printProgress("%4.0fs  asked %.6g/s  reached %.0f/s  in flight %d  2xx %d  others %d  p50 %s  p99 %s  max %s",
			s.At, s.Asked, s.Reached, s.InFlight, s.OK, s.Other, report.FormatMillis(s.P50), report.FormatMillis(s.P99), report.FormatMillis(s.Max))
	}
}

// printProgress writes a line of progress.
func (r *run) printProgress(format string, arguments ...any) {
	_, _ = fmt.Fprintf(r.Progress, format+"\n", arguments...) // only for a person to look at
}
