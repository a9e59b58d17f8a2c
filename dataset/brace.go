package dataset

import (
	"fmt"
	"strconv"
	"strings"
)

// maxNames and maxNameBytes bound what one pattern expands to.
const (
	maxNames     = 1 << 20
	maxNameBytes = 256 << 20
)

// expandBraces expands {a,b} and {000..012} as a shell does: in order, nested,
// the numbers as wide as the wider of their ends. A brace that is neither a
// list nor a range stands for itself.
func expandBraces(pattern string) ([]string, error) {
	if len(pattern) > 4096 {
		return nil, fmt.Errorf("dataset: a name of %d bytes, want at most 4096", len(pattern))
	}
	names, err := expand(pattern, min(maxNames, maxNameBytes/max(1, len(pattern))))
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", pattern, err)
	}
	return names, nil
}

var errNames = fmt.Errorf("expands to more than %d names, or %d MiB of them", maxNames, maxNameBytes>>20)

// expand gives at most so many names.
func expand(pattern string, most int) ([]string, error) {
	open, end := firstBrace(pattern)
	if open < 0 {
		return []string{pattern}, nil
	}
	heads, err := alternatives(pattern[open+1:end], most)
	if err != nil {
		return nil, err
	}
	tails, err := expand(pattern[end+1:], most/len(heads))
	if err != nil {
		return nil, err
	}
	if len(heads) > most/len(tails) {
		return nil, errNames
	}
	var names []string
	for _, h := range heads {
		for _, t := range tails {
			names = append(names, pattern[:open]+h+t)
		}
	}
	return names, nil
}

// firstBrace finds the first brace that means something, and its partner.
func firstBrace(pattern string) (open, end int) {
	for open := range len(pattern) {
		if pattern[open] != '{' {
			continue
		}
		depth := 0
		for end := open; end < len(pattern); end++ {
			switch pattern[end] {
			case '{':
				depth++
			case '}':
				depth--
			}
			if depth > 0 {
				continue
			}
			body := pattern[open+1 : end]
			if _, _, _, ok := numberRange(body); ok || len(splitList(body)) > 1 {
				return open, end
			}
			break
		}
	}
	return -1, -1
}

// alternatives are what the inside of a brace stands for.
func alternatives(body string, most int) ([]string, error) {
	if from, to, width, ok := numberRange(body); ok {
		return numbers(from, to, width, most)
	}
	var names []string
	for _, part := range splitList(body) {
		more, err := expand(part, most)
		if err != nil {
			return nil, err
		}
		if names = append(names, more...); len(names) > most {
			return nil, errNames
		}
	}
	return names, nil
}

func numbers(from, to, width, most int) ([]string, error) {
	step := 1
	if to < from {
		step = -1
	}
	n := (to-from)*step + 1
	if n > most {
		return nil, errNames
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%0*d", width, from+i*step)
	}
	return names, nil
}

// numberRange reads "000..012". The width is 0 where no number starts with 0.
func numberRange(body string) (from, to, width int, ok bool) {
	a, b, ok := strings.Cut(body, "..")
	if !ok || !digits(a) || !digits(b) {
		return 0, 0, 0, false
	}
	from, _ = strconv.Atoi(a)
	to, _ = strconv.Atoi(b)
	if padded(a) || padded(b) {
		width = max(len(a), len(b))
	}
	return from, to, width, true
}

// digits accepts up to nine, which fit any int.
func digits(s string) bool {
	return s != "" && len(s) <= 9 && strings.Trim(s, "0123456789") == ""
}

func padded(s string) bool { return len(s) > 1 && s[0] == '0' }

// splitList cuts at the commas that are in no inner brace.
func splitList(body string) []string {
	var parts []string
	depth, start := 0, 0
	for i := range len(body) {
		switch body[i] {
		case '{':
			depth++
		case '}':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, body[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, body[start:])
}
