package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// built is an image for several architectures.
type built struct {
	index  []byte // as JSON
	images []platformImage
}

type platformImage struct {
	v1.Image

	architecture string
}

// file is one file of an image; its folders are created.
type file struct {
	path    string
	mode    int64
	content []byte
}

// assembleImage makes the image.
func assembleImage(o imageSpec) (built, error) {
	certificates, err := os.ReadFile(o.certificates)
	if err != nil {
		return built{}, fmt.Errorf("read the CA certificates: %w", err)
	}

	trust, err := buildLayer(o.created, []string{"etc/", "etc/ssl/", "etc/ssl/certs/"},
		file{path: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: certificates})
	if err != nil {
		return built{}, err
	}

	var made built
	index := v1.IndexManifest{SchemaVersion: schemaVersion, MediaType: types.OCIImageIndex, Annotations: imageLabels(o)}
	for _, architecture := range slices.Sorted(maps.Keys(o.binaries)) {
		binary, err := os.ReadFile(o.binaries[architecture])
		if err != nil {
			return built{}, fmt.Errorf("read the binary for %s: %w", architecture, err)
		}

		if err := checkRunnable(architecture, binary); err != nil {
			return built{}, fmt.Errorf("the binary for %s: %w", architecture, err)
		}

		program, err := buildLayer(o.created, nil, file{path: "theeye", mode: 0o755, content: binary})
		if err != nil {
			return built{}, err
		}

		image, err := buildPlatformImage(o, architecture, trust, program)
		if err != nil {
			return built{}, err
		}

		made.images = append(made.images, platformImage{Image: image, architecture: architecture})
		descriptor, err := describeManifest(image, architecture)
		if err != nil {
			return built{}, err
		}

		index.Manifests = append(index.Manifests, descriptor)
	}

	if made.index, err = json.Marshal(index); err != nil {
		return built{}, fmt.Errorf("render the index: %w", err)
	}

	return made, nil
}

// describeManifest returns the entry of an index for one image. The library's own function
// would call the image an artifact.
func describeManifest(image v1.Image, architecture string) (v1.Descriptor, error) {
	raw, err := image.RawManifest()
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("render the manifest for %s: %w", architecture, err)
	}

	return v1.Descriptor{
		MediaType: types.OCIManifestSchema1,
		Digest:    digestOf(raw),
		Size:      int64(len(raw)),
		Platform:  &v1.Platform{OS: "linux", Architecture: architecture},
	}, nil
}

func digestOf(content []byte) v1.Hash {
	sum := sha256.Sum256(content)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

// buildPlatformImage makes the image for one architecture.
func buildPlatformImage(o imageSpec, architecture string, trust, program v1.Layer) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	created := v1.Time{Time: o.created}
	base, err := mutate.ConfigFile(base, &v1.ConfigFile{
		Architecture: architecture,
		OS:           "linux",
		Created:      created,
		RootFS:       v1.RootFS{Type: "layers"},
		Config:       runSettings(o),
	})
	if err != nil {
		return nil, fmt.Errorf("set the configuration for %s: %w", architecture, err)
	}

	image, err := mutate.Append(base,
		mutate.Addendum{Layer: trust, History: v1.History{Created: created, CreatedBy: "make image: CA certificates"}},
		mutate.Addendum{Layer: program, History: v1.History{Created: created, CreatedBy: "make image: theeye " + o.version}},
	)
	if err != nil {
		return nil, fmt.Errorf("add the layers for %s: %w", architecture, err)
	}

	annotated, ok := mutate.Annotations(image, imageLabels(o)).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("annotate the image for %s: it became a %T", architecture, annotated)
	}

	return annotated, nil
}

// runSettings returns how the image is run: the settings of the Dockerfile in the terms of an
// image.
func runSettings(o imageSpec) v1.Config {
	return v1.Config{
		User:         "65532:65532",
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}},
		Entrypoint:   []string{"/theeye"},
		Cmd:          []string{"serve"},
		WorkingDir:   "/",
		Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Labels:       imageLabels(o),
	}
}

// imageLabels returns the labels of the image, which are its annotations as well.
func imageLabels(o imageSpec) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "The Eye",
		"org.opencontainers.image.description": "A self-hosted collector of user-behaviour events",
		"org.opencontainers.image.source":      "https://github.com/the-eye-events/the-eye",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     o.version,
		"org.opencontainers.image.revision":    o.revision,
	}
}

// buildLayer makes a layer of folders and one file, all of them owned by root.
func buildLayer(created time.Time, folders []string, f file) (v1.Layer, error) {
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	entry := func(header tar.Header) error {
		header.ModTime = created
		header.Format = tar.FormatUSTAR
		return w.WriteHeader(&header)
	}

	for _, folder := range folders {
		if err := entry(tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: 0o755}); err != nil {
			return nil, fmt.Errorf("add %s to a layer: %w", folder, err)
		}
	}

	err := entry(tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: f.mode, Size: int64(len(f.content))})
	if err == nil {
		_, err = w.Write(f.content)
	}

	if err == nil {
		err = w.Close()
	}

	if err != nil {
		return nil, fmt.Errorf("add %s to a layer: %w", f.path, err)
	}

	made, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching)
	if err != nil {
		return nil, fmt.Errorf("compress the layer of %s: %w", f.path, err)
	}

	return made, nil
}
