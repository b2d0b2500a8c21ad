package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// licenceOf returns the licence of a text, if code under it may be linked.
func licenceOf(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	if strings.Contains(text, "mozilla public license version 2.0") { // its text mentions the GPL
		return "MPL-2.0"
	}

	for _, never := range []string{
		"gnu general public license", "gnu affero general public license", "gnu lesser general public license", "gnu library general public license",
		"server side public license", "business source license", "elastic license", "commons clause",
	} {
		if strings.Contains(text, never) {
			return ""
		}
	}

	for _, known := range []struct{ name, text string }{
		{"Apache-2.0", "apache license version 2.0"},
		{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
		{"BSD", "redistribution and use in source and binary forms, with or without modification, are permitted"},
		{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"},
		{"public domain", "put into the public domain"},
	} {
		if strings.Contains(text, known.text) {
			return known.name
		}
	}

	return ""
}

// linked returns the modules that the programs are linked from, and their folders.
func linked(t *testing.T, system string) map[string]string {
	t.Helper()
	modules := map[string]string{}
	for _, module := range []string{"..", filepath.Join("..", "eyeload")} {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}`, "./cmd/...")
		list.Dir = module
		list.Env = append(list.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := list.Output()
		require.NoError(t, err)
		for line := range strings.Lines(string(out)) {
			if path, dir, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				modules[path] = dir
			}
		}
	}

	require.Contains(t, modules, "github.com/tsenart/vegeta/v12")
	require.Contains(t, modules, "github.com/jackc/pgx/v5")

	return modules
}

func TestWhatIsLinkedHasALicenceThatMayBe(t *testing.T) {
	t.Parallel()
	file := regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([.-].*)?$`)
	for _, system := range []string{"linux", "darwin"} {
		for path, dir := range linked(t, system) {
			entries, err := os.ReadDir(dir)
			require.NoError(t, err, path)
			found := 0
			for _, entry := range entries {
				if entry.IsDir() || !file.MatchString(entry.Name()) || strings.HasSuffix(entry.Name(), ".go") {
					continue
				}

				found++
				text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
				require.NoError(t, err)
				require.NotEmpty(t, licenceOf(string(text)), "%s: %s is not a licence whose code may be linked; see docs/dependencies.md", path, entry.Name())
			}

			require.Positive(t, found, "%s has no licence", path)
		}
	}
}

// A check that accepts every licence would prove nothing.
func TestLicencesAreToldApart(t *testing.T) {
	t.Parallel()
	const mit = "MIT License\n\nPermission is hereby granted, free of charge,\nto any person obtaining a copy of this software"
	for text, name := range map[string]string{
		mit: "MIT",
		"                    GNU AFFERO GENERAL PUBLIC LICENSE\n Version 3, 19 November 2007": "",
		"GNU GENERAL PUBLIC LICENSE Version 2, June 1991":                                     "",
		"Business Source License 1.1":                                                         "",
		mit + "\n\nThe files in hard/ are under the GNU Lesser\nGeneral Public License.":      "",
		"Mozilla Public License Version 2.0\n... GNU General Public License, Version 2.0":     "MPL-2.0",
		"Apache License\n                           Version 2.0, January 2004":                "Apache-2.0",
		"All rights reserved.": "",
		"":                     "",
	} {
		require.Equal(t, name, licenceOf(text), text)
	}
}
