package config

import (
	"fmt"
	"strings"
)

// Line is one setting with its present value.
type Line struct {
	// Key is the setting's name.
	Key string `json:"key"`
	// Value is its text, with any secret in it masked.
	Value string `json:"value"`
	// Source is where the value came from.
	Source Source `json:"source"`
}

// Describe lists every setting with its present value, in the order of Settings. It
// shows no secret: of the database's connection string it shows only the parts known to
// be harmless.
func (c Config) Describe() []Line {
	settings := settingsTable()
	lines := make([]Line, len(settings))
	for i, s := range settings {
		lines[i] = Line{Key: s.Key, Value: s.field(&c).displayText(), Source: c.origins[s.Key]}
	}

	return lines
}

// RenderMarkdown renders the table of settings for docs/configuration.md.
func RenderMarkdown() string {
	var b strings.Builder
	b.WriteString("| Setting | Variable | Default | Meaning |\n| --- | --- | --- | --- |\n")
	for _, s := range Settings() {
		variable := "`" + s.Env + "`"
		if s.Secret {
			variable += " or `" + s.Env + fileSuffix + "`"
		}

		standard := ""
		if s.Default != "" {
			standard = "`" + s.Default + "`"
		}

		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Key, variable, standard, s.Usage)
	}

	return b.String()
}
