package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// rejectionFilter reads the filters of errors.
func (p *parameters) rejectionFilter(c *gin.Context) query.RejectionFilter {
	filter := query.RejectionFilter{
		Code: p.text("code"), Application: p.application(c), Category: p.text("category"), Name: p.text("name"),
		SessionID: p.id("session_id"), Status: p.oneOf("status", query.StatusOpen, query.StatusReplayed, query.StatusDiscarded),
	}
	filter.From, filter.To = p.timeRange()
	return filter
}

// getErrorStats is GET /v1/errors/stats.
func (a *api) getErrorStats(c *gin.Context) {
	p := readParameters(c)
	filter := query.RejectionStatsFilter{Grouping: p.grouping("code", "application", "category", "name"), RejectionFilter: p.rejectionFilter(c)}
	filter.From, filter.To = filter.Range(filter.From, filter.To, a.Now())
	if err := p.fault(); err != nil {
		a.fail(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()
	buckets, err := a.Finder.RejectionStats(ctx, filter)
	if err != nil {
		a.fail(c, err)
		return
	}
	if exchangeOf(c).format == formatCSV {
		answerTable(a, c, countTable(filter.Grouping), buckets)
		return
	}
	notKept, err := a.Finder.NotKept(ctx, filter.RejectionFilter)
	if err != nil {
		a.fail(c, err)
		return
	}
	body := appendCounts(filter.Grouping, jsonTime(filter.From), jsonTime(filter.To), buckets)
	body = strconv.AppendInt(append(body, `,"not_kept":`...), notKept, 10)
	send(c, http.StatusOK, "application/json", append(body, '}'))
}

// groupAnswer renders what rejections have in common.
type groupAnswer struct {
	Code        fault.Code `json:"code"`
	Pointer     string     `json:"pointer"`
	Category    *string    `json:"category"`
	Name        *string    `json:"name"`
	Application string     `json:"application"`
	Count       int64      `json:"count"`
	FirstSeen   jsonTime   `json:"first_seen"`
	LastSeen    jsonTime   `json:"last_seen"`
	SampleID    uuid.UUID  `json:"sample_error_id"`
	Detail      string     `json:"detail"`
}

// listErrorGroups is GET /v1/errors/groups.
func (a *api) listErrorGroups(c *gin.Context) {
	p := readParameters(c)
	filter, limit := p.rejectionFilter(c), p.limit()
	if err := p.fault(); err != nil {
		a.fail(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()
	groups, err := a.Finder.RejectionGroups(ctx, filter, limit)
	if err != nil {
		a.fail(c, err)
		return
	}
	list := make([]groupAnswer, len(groups))
	for i, g := range groups {
		list[i] = groupAnswer{
			g.Code, g.Pointer, g.Category, g.Name, g.Application, g.Count, jsonTime(g.FirstSeen), jsonTime(g.LastSeen), g.SampleID, g.Detail,
		}
	}
	if exchangeOf(c).format == formatCSV {
		answerTable(a, c, groupTable(), list)
		return
	}
	notKept, err := a.Finder.NotKept(ctx, filter)
	if err != nil {
		a.fail(c, err)
		return
	}
	a.sendJSON(c, http.StatusOK, struct {
		Groups  []groupAnswer `json:"groups"`
		NotKept int64         `json:"not_kept"`
	}{list, notKept})
}
