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
	filter.Action = audit.Action(p.readOneOf("action", audit.ActionNames()...))
	filter.From, filter.To = p.readTimeRange()
	if requestStateOf(c).format == formatCSV {
		streamTable(a, c, p, filter, auditTable(), a.Finder.AuditPage)
		return
	}

	if page, ok := readPage(a, c, p, filter, a.Finder.AuditPage); ok {
		a.sendList(c, "entries", page.Items, page.Next)
	}
}
