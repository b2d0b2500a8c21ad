package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/js"
)

// build returns the built files of the package, by name.
func build(root string) (map[string][]byte, error) {
	files := map[string][]byte{}

	for _, options := range []api.BuildOptions{module(api.PlatformBrowser, "index.ts"), module(api.PlatformNode, "node.ts"), classic()} {
		if err := bundle(root, options, files); err != nil {
			return nil, err
		}
	}

	script, err := shorten(files["eye.js"])
	files["eye.js"] = script

	return files, err
}

// buildTests returns the built tests, by name: modules for Node, each with the sources it needs.
func buildTests(root string) (map[string][]byte, error) {
	tests, err := filepath.Glob(filepath.Join(root, "clients/js/test/*.[tc]*.ts"))
	if err != nil || len(tests) == 0 {
		return nil, fmt.Errorf("finding the tests: %d, %w", len(tests), err)
	}

	files := map[string][]byte{}

	for _, test := range tests {
		options := module(api.PlatformNode, "")
		options.EntryPoints = []string{test}

		if err := bundle(root, options, files); err != nil {
			return nil, err
		}
	}

	return files, nil
}

// bundle adds what options build to files.
func bundle(root string, options api.BuildOptions, files map[string][]byte) error {
	options.AbsWorkingDir = filepath.Join(root, "clients/js")
	options.Bundle = true
	options.Charset = api.CharsetUTF8
	options.LegalComments = api.LegalCommentsNone
	options.Outdir = "build"

	if options.Platform == api.PlatformBrowser {
		options.MangleProps, options.MangleCache = shortNames()
	}

	result := api.Build(options)
	if len(result.Errors) > 0 {
		messages := api.FormatMessages(result.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage})
		return errors.New(messages[0])
	}

	for _, file := range result.OutputFiles {
		files[filepath.Base(file.Path)] = file.Contents
	}

	return nil
}

// shortNames returns the members that get shorter names, as a pattern, and those names. Pages and
// later versions read what an earlier one stored: a name never changes, and never gets another
// meaning.
func shortNames() (pattern string, names map[string]any) {
	names = map[string]any{
		"ahead": "a", "begin": "b", "bytes": "s", "event": "e", "flies": "m", "pagehide": "r", "sent": "n", "wait": "w",
	}

	return "^(" + strings.Join(slices.Sorted(maps.Keys(names)), "|") + ")$", names
}

// module returns how an ES module of the npm package is built: readable, because users
// who bundle it minify it, and users who debug it read it.
func module(platform api.Platform, source string) api.BuildOptions {
	return api.BuildOptions{
		EntryPoints: []string{"src/" + source},
		Format:      api.FormatESModule,
		Platform:    platform,
		Target:      api.ES2022,
	}
}

// classic returns how the script for a script element is built. Names are left to shorten.
func classic() api.BuildOptions {
	return api.BuildOptions{
		EntryPointsAdvanced: []api.EntryPoint{{InputPath: "src/script.ts", OutputPath: "eye"}},
		Format:              api.FormatIIFE,
		Platform:            api.PlatformBrowser,
		Target:              api.ES2021,
		MinifySyntax:        true,
		MinifyWhitespace:    true,
		TsconfigRaw:         `{}`, // without "use strict", which changes nothing here
	}
}

// shorten renames the variables of a script. It gives the same short names in every scope,
// where esbuild gives each variable in sight a name of its own: 4 % less after gzip.
func shorten(script []byte) ([]byte, error) {
	var short bytes.Buffer

	minifier := js.Minifier{Version: 2021}

	if err := minifier.Minify(minify.New(), &short, bytes.NewReader(script), nil); err != nil {
		return nil, fmt.Errorf("shortening the script: %w", err)
	}

	return short.Bytes(), nil
}
