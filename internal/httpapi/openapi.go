package httpapi

import (
	_ "embed" // the document
	"net/http"

	"github.com/gin-gonic/gin"
)

//go:embed openapi.json
var openapi []byte

// getOpenAPI is GET /v1/openapi.json.
func (a *api) getOpenAPI(c *gin.Context) {
	sendBody(c, http.StatusOK, "application/json", openapi)
}
