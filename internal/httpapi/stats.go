package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/query"
)

// grouping reads how counts are divided.
func (p *parameters) grouping(dimensions ...string) query.Grouping {
	g, wrong := query.ParseGrouping(p.text("group_by"), p.text("interval"), p.boolean("fill"), dimensions...)
	p.wrong = append(p.wrong, wrong...)
	return g
}

// getStats is GET /v1/stats.
func (a *api) getStats(c *gin.Context) {
	p := readParameters(c)
	filter := query.StatsFilter{
		Grouping: p.grouping("category", "name", "application"), SessionID: p.id("session_id"),
		Category: p.text("category"), Name: p.text("name"), Application: p.application(c),
	}
	from, to := p.timeRange()
	filter.From, filter.To = filter.Range(from, to, a.Now())
	if err := p.fault(); err != nil {
		a.fail(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()
	buckets, err := a.Finder.Stats(ctx, filter)
	a.answerCounts(c, filter.Grouping, jsonTime(filter.From), jsonTime(filter.To), buckets, err)
}

// answerCounts answers with counts and the range that was counted.
func (a *api) answerCounts(c *gin.Context, g query.Grouping, from, to jsonTime, buckets []query.Bucket, err error) {
	if err != nil {
		a.fail(c, err)
		return
	}
	if exchangeOf(c).format == formatCSV {
		answerTable(a, c, countTable(g), buckets)
		return
	}
	send(c, http.StatusOK, "application/json", append(appendCounts(g, from, to, buckets), '}'))
}

// appendCounts renders counts and the range that was counted, up to the last bracket.
func appendCounts(g query.Grouping, from, to jsonTime, buckets []query.Bucket) []byte {
	body := appendTime([]byte(`{"from":`), from)
	body = appendTime(append(body, `,"to":`...), to)
	body = append(body, `,"buckets":[`...)
	for n := range buckets {
		b := &buckets[n]
		if n > 0 {
			body = append(body, ',')
		}
		body = append(body, '{')
		if g.Interval != 0 {
			body = append(appendTime(append(body, `"start":`...), jsonTime(b.Start)), ',')
		}
		for i, dimension := range g.By {
			body = append(appendString(append(appendString(body, dimension), ':'), b.Group[i]), ',')
		}
		body = append(strconv.AppendInt(append(body, `"count":`...), b.Count, 10), '}')
	}
	return append(body, ']')
}

// appendTime renders a time, or null for none.
func appendTime(b []byte, t jsonTime) []byte {
	text, _ := t.MarshalJSON() // it cannot fail
	return append(b, text...)
}
