// Command image writes the container image of The Eye without Docker: one image index for
// several architectures, as a tar that is an OCI image layout and that `docker load` reads as
// well.
//
// `make image` calls it with the built binaries. The Dockerfile makes the same image where
// there is Docker, and a test compares the two.
//
// The same input gives the same bytes: the image depends neither on the clock nor on the
// machine or the user.
package main
