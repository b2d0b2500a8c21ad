package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/require"
)

const epoch = "1700000000"

// buildHello builds a very small program for an architecture.
func buildHello(t *testing.T, architecture string, variables ...string) string {
	t.Helper()
	source := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(source, []byte("package main\n\nfunc main() { println(\"hello\") }\n"), 0o600))
	binary := filepath.Join(t.TempDir(), "hello-"+architecture)
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, source)
	build.Env = append(build.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture)
	build.Env = append(build.Env, variables...)
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	return binary
}

// goodArguments returns valid arguments, and the file of the image.
func goodArguments(t *testing.T, binaries ...string) (arguments []string, out string) {
	t.Helper()
	certificates := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(certificates, []byte("certificates\n"), 0o600))
	out = filepath.Join(t.TempDir(), "image.tar")

	return append([]string{
		"-name", "eye.local/the-eye", "-version", "1.2.3", "-revision", "abc", "-epoch", epoch,
		"-certificates", certificates, "-out", out,
	}, binaries...), out
}

// readTar returns the files of a tar, by name, and their headers.
func readTar(t *testing.T, from io.Reader) (files map[string][]byte, headers map[string]*tar.Header) {
	t.Helper()
	files, headers = map[string][]byte{}, map[string]*tar.Header{}
	for r := tar.NewReader(from); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, headers
		}

		require.NoError(t, err)
		require.NotContains(t, headers, header.Name, "written twice")
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		files[header.Name] = content
		headers[header.Name] = header
	}
}

// readBlob reads JSON by its digest, and checks the digest.
func readBlob(t *testing.T, files map[string][]byte, descriptor v1.Descriptor, into any) {
	t.Helper()
	content := bytesOf(t, files, descriptor)
	require.NoError(t, json.Unmarshal(content, into))
}

func bytesOf(t *testing.T, files map[string][]byte, descriptor v1.Descriptor) []byte {
	t.Helper()
	content, found := files[blobPath(descriptor.Digest)]
	require.True(t, found, descriptor.Digest)
	require.Equal(t, descriptor.Digest, digestOf(content))
	require.Len(t, content, int(descriptor.Size))

	return content
}

func TestImageIsALayoutForBothArchitectures(t *testing.T) {
	t.Parallel()
	binaries := map[string]string{"amd64": buildHello(t, "amd64"), "arm64": buildHello(t, "arm64")}
	arguments, out := goodArguments(t, "arm64="+binaries["arm64"], "amd64="+binaries["amd64"])
	var said bytes.Buffer
	require.NoError(t, run(arguments, &said))
	archive, err := os.ReadFile(out)
	require.NoError(t, err)
	files, _ := readTar(t, bytes.NewReader(archive))

	var outer, index v1.IndexManifest
	require.JSONEq(t, `{"imageLayoutVersion": "1.0.0"}`, string(files["oci-layout"]))
	require.NoError(t, json.Unmarshal(files["index.json"], &outer))
	require.Len(t, outer.Manifests, 1)
	require.Equal(t, "eye.local/the-eye:1.2.3", outer.Manifests[0].Annotations["io.containerd.image.name"])
	readBlob(t, files, outer.Manifests[0], &index)
	require.Equal(t, types.OCIImageIndex, index.MediaType)
	require.Len(t, index.Manifests, 2)
	require.Contains(t, said.String(), outer.Manifests[0].Digest.String())

	for i, architecture := range []string{"amd64", "arm64"} {
		descriptor := index.Manifests[i]
		require.Equal(t, &v1.Platform{OS: "linux", Architecture: architecture}, descriptor.Platform)
		require.Empty(t, descriptor.ArtifactType, "it is an image")
		require.Contains(t, said.String(), descriptor.Digest.String())
		var manifest v1.Manifest
		var config v1.ConfigFile
		readBlob(t, files, descriptor, &manifest)
		readBlob(t, files, manifest.Config, &config)
		require.Equal(t, architecture, config.Architecture)
		require.Equal(t, "linux", config.OS)
		require.Equal(t, int64(1700000000), config.Created.Unix())
		require.Equal(t, runSettings(imageSpec{version: "1.2.3", revision: "abc"}), config.Config)
		require.Len(t, config.RootFS.DiffIDs, len(manifest.Layers))

		root := map[string][]byte{}
		for j, layer := range manifest.Layers {
			require.Equal(t, types.OCILayer, layer.MediaType)
			unzipped, err := gzip.NewReader(bytes.NewReader(bytesOf(t, files, layer)))
			require.NoError(t, err)
			content, err := io.ReadAll(unzipped)
			require.NoError(t, err)
			require.Equal(t, config.RootFS.DiffIDs[j], digestOf(content))
			within, headers := readTar(t, bytes.NewReader(content))
			for name, header := range headers {
				require.Zero(t, header.Uid+header.Gid, name)
				require.Equal(t, int64(1700000000), header.ModTime.Unix(), name)
				require.Zero(t, header.Mode&0o022, "%s is writable by others", name)
				root[name] = within[name]
			}
		}

		built, err := os.ReadFile(binaries[architecture])
		require.NoError(t, err)
		require.Equal(t, map[string][]byte{
			"etc/": {}, "etc/ssl/": {}, "etc/ssl/certs/": {},
			"etc/ssl/certs/ca-certificates.crt": []byte("certificates\n"), "theeye": built,
		}, root)
	}
}

func TestDockerCanLoadItToo(t *testing.T) {
	t.Parallel()
	arguments, out := goodArguments(t, "amd64="+buildHello(t, "amd64"), "arm64="+buildHello(t, "arm64"))
	require.NoError(t, run(arguments, io.Discard))
	archive, err := os.ReadFile(out)
	require.NoError(t, err)
	files, _ := readTar(t, bytes.NewReader(archive))
	var list []dockerManifest
	require.NoError(t, json.Unmarshal(files["manifest.json"], &list))
	require.Len(t, list, 2)
	require.Equal(t, []string{"eye.local/the-eye:1.2.3-amd64", "eye.local/the-eye:1.2.3"}, list[0].RepoTags)
	require.Equal(t, []string{"eye.local/the-eye:1.2.3-arm64"}, list[1].RepoTags)
	for _, image := range list {
		require.Contains(t, files, image.Config)
		require.Len(t, image.Layers, 2)
		for _, layer := range image.Layers {
			require.Contains(t, files, layer)
		}
	}
}

// The library's readers know the format better than the tests above.
func TestOthersCanReadIt(t *testing.T) {
	t.Parallel()
	arguments, out := goodArguments(t, "amd64="+buildHello(t, "amd64"), "arm64="+buildHello(t, "arm64"))
	require.NoError(t, run(arguments, io.Discard))
	for text, architecture := range map[string]string{"1.2.3": "amd64", "1.2.3-amd64": "amd64", "1.2.3-arm64": "arm64"} {
		tag, err := name.NewTag("eye.local/the-eye:" + text)
		require.NoError(t, err)
		image, err := tarball.ImageFromPath(out, &tag)
		require.NoError(t, err, text)
		require.NoError(t, validate.Image(image), text)
		config, err := image.ConfigFile()
		require.NoError(t, err)
		require.Equal(t, architecture, config.Architecture)
	}

	folder := t.TempDir()
	require.NoError(t, exec.CommandContext(t.Context(), "tar", "-xf", out, "-C", folder).Run())
	index, err := layout.ImageIndexFromPath(folder)
	require.NoError(t, err)
	require.NoError(t, validate.Index(index))
}

func TestSameInputGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	var archives []v1.Hash // a diff of megabytes does not help
	var reports []string
	for range 2 {
		arguments, out := goodArguments(t, "amd64="+buildHello(t, "amd64"), "arm64="+buildHello(t, "arm64"))
		var said bytes.Buffer
		require.NoError(t, run(arguments, &said))
		archive, err := os.ReadFile(out)
		require.NoError(t, err)
		archives = append(archives, digestOf(archive))
		reports = append(reports, strings.ReplaceAll(said.String(), out, "image.tar"))
	}

	require.Equal(t, reports[0], reports[1])
	require.Equal(t, archives[0], archives[1])
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	amd64 := buildHello(t, "amd64")
	dynamic := buildHello(t, "amd64", "GOFLAGS=-buildmode=pie")
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte("#!/bin/sh\n"), 0o600))
	for _, c := range []struct {
		name, binary, says string
		instead            []string
	}{
		{name: "a binary of another architecture", binary: "arm64=" + amd64, says: "EM_X86_64"},
		{name: "a binary that needs a loader", binary: "amd64=" + dynamic, says: "not static"},
		{name: "no binary", binary: "amd64=" + text, says: "read it"},
		{name: "an unknown architecture", binary: "s390x=" + amd64, says: "not built for"},
		{name: "no architecture", binary: amd64, says: "ARCHITECTURE=BINARY"},
		{name: "no tag", binary: "amd64=" + amd64, instead: []string{"-version", "feature/x"}, says: "tag"},
		{name: "nothing", instead: []string{"-version", ""}, says: "-version is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			arguments, out := goodArguments(t)
			arguments = append(arguments, c.instead...)
			if c.binary != "" {
				arguments = append(arguments, c.binary)
			}

			require.ErrorContains(t, run(arguments, io.Discard), c.says)
			left, err := os.ReadDir(filepath.Dir(out))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}
