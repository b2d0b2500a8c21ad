package charts_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/config"
)

// The chart accepts every setting of the service, and no other, except those that it sets itself:
// the addresses and the database.
func TestChartTakesTheSettingsOfTheService(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("the-eye/values.schema.json")
	require.NoError(t, err)
	var schema struct {
		AdditionalProperties *bool `json:"additionalProperties"` //nolint:tagliatelle // JSON Schema's name
		Properties           struct {
			Config struct {
				AdditionalProperties *bool                      `json:"additionalProperties"` //nolint:tagliatelle // JSON Schema's name
				Properties           map[string]json.RawMessage `json:"properties"`
			} `json:"config"`
		} `json:"properties"`
	}

	require.NoError(t, json.Unmarshal(text, &schema))
	require.False(t, *schema.AdditionalProperties)
	require.False(t, *schema.Properties.Config.AdditionalProperties)
	var want, got []string
	for _, setting := range config.Settings() {
		if !slices.Contains([]string{"http.listen", "ops.listen", "database.url"}, setting.Key) {
			want = append(want, setting.Key)
		}
	}

	for key := range schema.Properties.Config.Properties {
		got = append(got, key)
	}

	require.ElementsMatch(t, want, got, "properties of config in values.schema.json")
}
