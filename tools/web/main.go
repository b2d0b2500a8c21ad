// Command web builds the client for browsers and Node from clients/js/src, without Node: the
// modules of the npm package into clients/js/dist, and the classic script, which is also
// written to internal/browsersdk, where the service embeds it. With -check it writes nothing
// and fails if the embedded script is not what the sources give.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/js"
)

// maxGzipped is the most that the classic script may weigh, in bytes after gzip -9: what it
// costs a page that loads it.
const maxGzipped = 2500

// embedded is where the service takes the script from, relative to the root.
const embedded = "internal/browsersdk/eye.js"

func main() {
	root := flag.String("root", "../..", "the root of the repository")
	check := flag.Bool("check", false, "fail if the embedded script differs, and write nothing")
	flag.Parse()

	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return fmt.Errorf("finding the root: %w", err)
	}

	files, err := build(root)
	if err != nil {
		return err
	}

	script := files["eye.js"]

	if err := weigh(script); err != nil {
		return err
	}

	if check {
		return compare(filepath.Join(root, embedded), script)
	}

	return write(root, files)
}

// build returns the built files, by name.
func build(root string) (map[string][]byte, error) {
	files := map[string][]byte{}

	for _, options := range []api.BuildOptions{module(api.PlatformBrowser, "index.ts"), module(api.PlatformNode, "node.ts"), classic()} {
		options.AbsWorkingDir = filepath.Join(root, "clients/js")
		options.Bundle = true
		options.Charset = api.CharsetUTF8
		options.LegalComments = api.LegalCommentsNone
		options.Outdir = "dist"

		result := api.Build(options)
		if len(result.Errors) > 0 {
			messages := api.FormatMessages(result.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage})
			return nil, errors.New(messages[0])
		}

		for _, file := range result.OutputFiles {
			files[filepath.Base(file.Path)] = file.Contents
		}
	}

	script, err := shorten(files["eye.js"])
	files["eye.js"] = script

	return files, err
}

// shorten renames the variables of a script. It gives the same short names in every scope,
// where esbuild gives each variable in sight a name of its own: 4 % less after gzip.
func shorten(script []byte) ([]byte, error) {
	var short bytes.Buffer

	minifier := js.Minifier{Version: 2020}

	if err := minifier.Minify(minify.New(), &short, bytes.NewReader(script), nil); err != nil {
		return nil, fmt.Errorf("shortening the script: %w", err)
	}

	return short.Bytes(), nil
}

// module returns how an ES module of the npm package is built: readable, because those who
// bundle it minify it, and those who debug it read it.
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
		Target:              api.ES2020,
		MinifySyntax:        true,
		MinifyWhitespace:    true,
		TsconfigRaw:         `{}`, // without "use strict", which changes nothing here
	}
}

// weigh prints what the script weighs, and fails if that is too much.
func weigh(script []byte) error {
	var compressed bytes.Buffer

	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("compressing: %w", err)
	}

	if _, err := writer.Write(script); err != nil {
		return fmt.Errorf("compressing: %w", err)
	}

	if err := writer.Close(); err != nil {
		return fmt.Errorf("compressing: %w", err)
	}

	fmt.Printf("eye.js: %d bytes, %d gzipped; at most %d\n", len(script), compressed.Len(), maxGzipped)

	if compressed.Len() > maxGzipped {
		return fmt.Errorf("eye.js has %d bytes gzipped, at most %d are allowed", compressed.Len(), maxGzipped)
	}

	return nil
}

func compare(path string, script []byte) error {
	committed, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the embedded script: %w", err)
	}

	if !bytes.Equal(committed, script) {
		return fmt.Errorf("%s is not what clients/js/src gives: run make sdk and commit it", embedded)
	}

	return nil
}

func write(root string, files map[string][]byte) error {
	dist := filepath.Join(root, "clients/js/dist")
	paths := map[string][]byte{filepath.Join(root, embedded): files["eye.js"]}

	for name, content := range files {
		paths[filepath.Join(dist, name)] = content
	}

	if err := os.MkdirAll(dist, 0o755); err != nil {
		return fmt.Errorf("making the folder of the package: %w", err)
	}

	for path, content := range paths {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
	}

	return nil
}
