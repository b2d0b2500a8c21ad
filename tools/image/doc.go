// Command image writes the container image of The Eye without Docker: one image
// index for several architectures, as a tar that is an OCI image layout and that
// `docker load` reads as well.
//
// `make image` calls it with binaries that are built already. The Dockerfile makes
// the same image where there is Docker, and a test holds the two against each other.
//
// The same input gives the same bytes: nothing of the clock, of the machine or of
// the user gets into the image.
package main
