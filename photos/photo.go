// Package photos keeps an index of photographs in step with the folder that they are in: what
// is new, changed, renamed or gone. Beside the index it keeps thumbnails, and it finds
// duplicates and names groups.
//
// A library is up to three files:
//
//	photos.index          what package index reads and writes; each Meta is a [Photo] as JSON
//	photos.index.journal  what has happened since that was written
//	photos.index.thumbs   small JPEGs, by the SHA-256 of the photographs' files
//
// Both others are only appended to, see internal/recordlog, so that a process that is killed at
// any moment loses the photographs that it had in hand, at most, and nothing that it had done.
package photos

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"
)

// Photo is what a library knows of a photograph beside its embedding.
type Photo struct {
	Version int    `json:"goclip_photo"` // 1
	Caption string `json:"caption,omitempty"`

	// The file: its size, its time in nanoseconds since 1970, 0 where that says nothing, and
	// the SHA-256 of its content in hexadecimal digits.
	Size     int64  `json:"size"`
	Modified int64  `json:"modified,omitempty"`
	SHA256   string `json:"sha256"`

	// The photograph as it should be seen. Look is its difference hash, see [Look].
	Width  int  `json:"width"`
	Height int  `json:"height"`
	Look   Look `json:"look"`

	// Taken is the time on the camera's clock, as 2006-01-02T15:04:05 with the distance from
	// UTC behind it where the file says one; Place is latitude and longitude in degrees.
	Taken string      `json:"taken,omitempty"`
	Place *[2]float64 `json:"place,omitempty"`
}

// version is what Photo.Version says.
const version = 1

// Parse reads the Meta of an entry. Of an entry that no library made it is false.
func Parse(meta string) (Photo, bool) {
	if !strings.HasPrefix(meta, `{"goclip_photo":`) {
		return Photo{}, false
	}
	var p Photo
	if json.Unmarshal([]byte(meta), &p) != nil || p.Version != version {
		return Photo{}, false
	}
	return p, true
}

// Meta is the Meta of an entry.
func (p Photo) Meta() string {
	p.Version = version
	text, err := json.Marshal(p)
	if err != nil { // a place that is no number
		p.Place = nil
		text, _ = json.Marshal(p)
	}
	return string(text)
}

// When is the time at which a photograph was taken or, where its file does not say, at which
// that was last changed. A clock whose distance from UTC is not known is taken as local.
func (p Photo) When(local *time.Location) (t time.Time, ok bool) {
	if t, err := time.Parse(time.RFC3339, p.Taken); err == nil {
		return t, true
	}
	if t, err := time.ParseInLocation("2006-01-02T15:04:05", p.Taken, local); err == nil {
		return t, true
	}
	return time.Unix(0, p.Modified), p.Modified != 0
}

// Day is the date on the camera's clock, as 2006-01-02, which sorts as it is; "" where there is
// none. Where the file does not say when it was taken it is the day on which it changed, at local.
func (p Photo) Day(local *time.Location) string {
	if len(p.Taken) >= len("2006-01-02") {
		return p.Taken[:len("2006-01-02")]
	}
	if t, ok := p.When(local); ok {
		return t.In(local).Format("2006-01-02")
	}
	return ""
}

// Between returns a filter for dates from first to last, both included, each as 2006,
// 2006-01 or 2006-01-02, or "" for no bound.
func Between(first, last string, local *time.Location) (func(Photo) bool, error) {
	for _, d := range []string{first, last} {
		if !isDate(d) {
			return nil, fmt.Errorf("photos: date %q, want one such as 2006, 2006-01 or 2006-01-02", d)
		}
	}
	return func(p Photo) bool {
		day := p.Day(local)
		return day != "" && day >= first && (last == "" || day <= last || strings.HasPrefix(day, last))
	}, nil
}

func isDate(d string) bool {
	const layout = "2006-01-02"
	if d == "" {
		return true
	}
	for _, n := range []int{4, 7, 10} {
		if len(d) == n {
			_, err := time.Parse(layout[:n], d)
			return err == nil
		}
	}
	return false
}

// Glob returns a filter for keys: a pattern as [path.Match] has it, of a whole key or of its
// last parts, in which ** stands for any number of folders. "2024/**" is all below the
// folder 2024, and "*.png" every PNG. Letters of either case are alike.
func Glob(pattern string) (func(key string) bool, error) {
	parts := strings.Split(strings.ToLower(strings.TrimPrefix(pattern, "./")), "/")
	if len(parts) > 64 {
		return nil, fmt.Errorf("photos: a pattern of %d parts, want at most 64", len(parts))
	}
	for _, p := range parts {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("photos: pattern %q: %w", pattern, err)
		}
	}
	if rooted := parts[0] == ""; rooted {
		parts = parts[1:]
	} else if len(parts) == 1 {
		parts = append([]string{"**"}, parts...)
	}
	return func(key string) bool {
		return matches(parts, strings.Split(strings.ToLower(key), "/"))
	}, nil
}

// matches compares patterns with the parts of a path, in time proportional to both: only the
// last ** that was met needs to be tried again.
func matches(patterns, parts []string) bool {
	again, from := -1, 0
	p, k := 0, 0
	for k < len(parts) {
		if p < len(patterns) && patterns[p] == "**" {
			again, from, p = p, k, p+1
			continue
		}
		if p < len(patterns) {
			if ok, _ := path.Match(patterns[p], parts[k]); ok {
				p, k = p+1, k+1
				continue
			}
		}
		if again < 0 {
			return false
		}
		from++
		p, k = again+1, from
	}
	for p < len(patterns) && patterns[p] == "**" {
		p++
	}
	return p == len(patterns)
}
