package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// archive writes an OCI image layout as a tar, each blob once.
type archive struct {
	tar     *tar.Writer
	created time.Time
	blobs   map[v1.Hash]bool
}

// dockerManifest is one entry of manifest.json, which `docker load` reads where it does not
// read OCI layouts.
type dockerManifest struct {
	Config   string   `json:"Config"`   //nolint:tagliatelle // Docker's name
	RepoTags []string `json:"RepoTags"` //nolint:tagliatelle // Docker's name
	Layers   []string `json:"Layers"`   //nolint:tagliatelle // Docker's name
}

// writeFile writes the image into a file, which exists completely or not at all.
func (b built) writeFile(o imageSpec) (err error) {
	target, err := os.CreateTemp(filepath.Dir(o.out), ".image-*")
	if err != nil {
		return fmt.Errorf("make the file: %w", err)
	}

	defer func() {
		if err != nil {
			_ = target.Close()           // it may be closed already
			_ = os.Remove(target.Name()) // err is the cause
		}
	}()

	if err := b.writeLayout(target, o); err != nil {
		return err
	}

	const everyone = 0o644
	if err := target.Chmod(everyone); err != nil {
		return fmt.Errorf("make the file readable: %w", err)
	}

	if err := target.Close(); err != nil {
		return fmt.Errorf("write the file: %w", err)
	}

	if err := os.Rename(target.Name(), o.out); err != nil {
		return fmt.Errorf("rename the file: %w", err)
	}

	return nil
}

// writeLayout writes the layout: the blobs, the index that names them, and the list for readers
// that do not know layouts.
func (b built) writeLayout(to io.Writer, o imageSpec) error {
	a := archive{tar: tar.NewWriter(to), created: o.created, blobs: map[v1.Hash]bool{}}
	if err := a.writeFile("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}

	list := make([]dockerManifest, 0, len(b.images))
	for i, image := range b.images {
		entry, err := a.writeImage(image)
		if err != nil {
			return err
		}

		// Such a reader expects one architecture under a name; the first one gets the plain name.
		entry.RepoTags = []string{o.name + ":" + o.version + "-" + image.architecture}
		if i == 0 {
			entry.RepoTags = append(entry.RepoTags, o.name+":"+o.version)
		}

		list = append(list, entry)
	}

	digest := digestOf(b.index)
	if err := a.writeBlob(digest, b.index); err != nil {
		return err
	}

	descriptor := v1.Descriptor{
		MediaType: types.OCIImageIndex,
		Digest:    digest,
		Size:      int64(len(b.index)),
		Annotations: map[string]string{
			"io.containerd.image.name":          o.name + ":" + o.version,
			"org.opencontainers.image.ref.name": o.version,
		},
	}
	if err := a.writeJSON("index.json", v1.IndexManifest{SchemaVersion: schemaVersion, Manifests: []v1.Descriptor{descriptor}}); err != nil {
		return err
	}

	if err := a.writeJSON("manifest.json", list); err != nil {
		return err
	}

	if err := a.tar.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}

	return nil
}

// schemaVersion is the present version of indexes and manifests.
const schemaVersion = 2

// writeImage writes the blobs of one image.
func (a archive) writeImage(image v1.Image) (dockerManifest, error) {
	var entry dockerManifest
	layers, err := image.Layers()
	if err != nil {
		return entry, fmt.Errorf("list the layers: %w", err)
	}

	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return entry, fmt.Errorf("hash a layer: %w", err)
		}

		content, err := layer.Compressed()
		if err != nil {
			return entry, fmt.Errorf("compress a layer: %w", err)
		}

		raw, err := io.ReadAll(content)
		if err != nil {
			return entry, fmt.Errorf("compress a layer: %w", err)
		}

		if err := a.writeBlob(digest, raw); err != nil {
			return entry, err
		}

		entry.Layers = append(entry.Layers, blobPath(digest))
	}

	settings, err := image.ConfigName()
	if err != nil {
		return entry, fmt.Errorf("hash the configuration: %w", err)
	}

	entry.Config = blobPath(settings)
	raw, err := image.RawConfigFile()
	if err != nil {
		return entry, fmt.Errorf("render the configuration: %w", err)
	}

	if err := a.writeBlob(settings, raw); err != nil {
		return entry, err
	}

	digest, err := image.Digest()
	if err != nil {
		return entry, fmt.Errorf("hash the manifest: %w", err)
	}

	if raw, err = image.RawManifest(); err != nil {
		return entry, fmt.Errorf("render the manifest: %w", err)
	}

	return entry, a.writeBlob(digest, raw)
}

func blobPath(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

// writeBlob writes a blob that is not in the archive yet: images share layers.
func (a archive) writeBlob(digest v1.Hash, content []byte) error {
	if a.blobs[digest] {
		return nil
	}

	a.blobs[digest] = true

	return a.writeFile(blobPath(digest), content)
}

func (a archive) writeJSON(name string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}

	return a.writeFile(name, content)
}

func (a archive) writeFile(name string, content []byte) error {
	err := a.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg,
		Name:     name,
		Mode:     0o644,
		Size:     int64(len(content)),
		ModTime:  a.created,
		Format:   tar.FormatUSTAR,
	})
	if err == nil {
		_, err = a.tar.Write(content)
	}

	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}

	return nil
}
