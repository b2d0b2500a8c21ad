package httpapi

import (
	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/query"
)

// listAudit is GET /v1/audit.
func (a *api) listAudit(c *gin.Context) {
	p := readParameters(c)
	filter := query.AuditFilter{Actor: p.readText("actor"), Target: p.readText("target")}
	actions := make([]string, 0, len(audit.Actions()))
	for _, action := range audit.Actions() {
		actions = append(actions, string(action))
	}

	filter.Action = audit.Action(p.readOneOf("action", actions...))
	filter.From, filter.To = p.readTimeRange()
	if requestStateOf(c).format == formatCSV {
		streamTable(a, c, p, filter, auditTable(), a.Finder.AuditPage)
		return
	}

	if page, ok := readPage(a, c, p, filter, a.Finder.AuditPage); ok {
		a.sendList(c, "entries", page.Items, page.Next)
	}
}
