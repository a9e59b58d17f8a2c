package hub

import (
	"context"
	"time"
)

// SetPause changes the pause between tries.
func SetPause(c *Client, d time.Duration) { c.faults.pause = d }

// SetWrite is told of bytes before they are written, and may make it fail.
func SetWrite(c *Client, before func(n int64, b []byte) error) { c.faults.write = before }

// ErrDiskFull is the system's error, where a test can make one.
var ErrDiskFull = diskFullError

// ParseLicense reads a card.
var ParseLicense = parseLicense

// ParseListing reads a list of files.
func ParseListing(text []byte) error {
	_, err := parseListing(text)
	return err
}

// ParseShards reads an index.
var ParseShards = shards

// ContentRange reads the header.
var ContentRange = contentRange

// PlainName is what may become a path.
var PlainName = plainName

// LockFile takes a file's lock as a download does.
var LockFile = lock

// LockPath is where it lies.
func LockPath(cache, repo, etag string) string { return repository{cache, repo}.lock(etag) }

// DownloadTag downloads what a tag names, which need not be one of open_clip's.
func DownloadTag(ctx context.Context, c *Client, t Tag) (*Model, error) {
	return c.download(ctx, t.Name(), Source{Repo: t.Repo, Revision: "main", OpenCLIP: true, Tag: &t})
}

// FindTag looks for it on this machine.
func FindTag(c *Client, t Tag) (*Model, error) {
	return c.find(t.Name(), Source{Repo: t.Repo, Revision: "main", OpenCLIP: true, Tag: &t})
}
