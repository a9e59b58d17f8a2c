package command

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// configFile is the flag that names a file of flags.
type configFile string

// maxConfig is the size of such a file in bytes.
const maxConfig = 1 << 20

// BeforeResolve has the flags that the command line leaves out read from the
// file.
func (configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	path := string(ctx.FlagValue(trace.Flag).(configFile))
	fields, err := readConfig(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	flags := make(map[string]*kong.Flag)
	for _, f := range ctx.Flags() {
		if !slices.Contains([]string{"help", "config"}, f.Name) {
			flags[f.Name] = f
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f := flags[name]
		if f == nil {
			return fmt.Errorf("%s: %s has no field %q%s", path, ctx.Command(), name, nearest(name, slices.Sorted(maps.Keys(flags))))
		}
		if fields[name], err = flagValue(fields[name], f.Target.Type()); err != nil {
			return fmt.Errorf("%s: %s: %w", path, name, err)
		}
	}
	ctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) { return fields[f.Name], nil }))
	return nil
}

func readConfig(path string) (map[string]any, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, err
	}
	return parseConfig(data)
}

// parseConfig reads YAML, of which JSON is a part.
func parseConfig(data []byte) (map[string]any, error) {
	if len(data) > maxConfig {
		return nil, fmt.Errorf("more than %d bytes", maxConfig)
	}
	if nesting(data) > maxNesting {
		return nil, fmt.Errorf("nested more than %d deep", maxNesting)
	}
	fields := make(map[string]any)
	if err := yaml.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	return fields, nil
}

// maxNesting is far more than flags need; the parser takes memory by its square.
const maxNesting = 64

// nesting is how deep values stand in values: by brackets, wherever they are, or by the
// marks at the beginning of a line.
func nesting(data []byte) (deepest int) {
	open := 0
	for _, c := range data {
		switch c {
		case '[', '{':
			open++
			deepest = max(deepest, open)
		case ']', '}':
			open = max(0, open-1)
		}
	}
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		rest := bytes.TrimLeft(line, " \t-?:")
		marks := line[:len(line)-len(rest)]
		deepest = max(deepest, len(marks)-bytes.Count(marks, []byte(" "))-bytes.Count(marks, []byte("\t")))
	}
	return deepest
}

// flagValue makes what the file says into what the flag would be given.
func flagValue(v any, t reflect.Type) (any, error) {
	switch v := v.(type) {
	case []any:
		if t.Kind() != reflect.Slice {
			return nil, fmt.Errorf("is a list, want one value")
		}
		list := make([]any, len(v))
		for i, item := range v {
			one, err := flagValue(item, t.Elem())
			if err != nil {
				return nil, fmt.Errorf("item %d %w", i+1, err)
			}
			if list[i] = one; t.Elem().Kind() == reflect.Int {
				if list[i], err = strconv.Atoi(fmt.Sprint(one)); err != nil {
					return nil, fmt.Errorf("item %d is %q, want a whole number", i+1, one)
				}
			}
		}
		return list, nil
	case map[string]any, nil:
		return nil, fmt.Errorf("is no value for a flag")
	case bool:
		if t.Kind() == reflect.Bool {
			return v, nil
		}
	}
	if t.Kind() == reflect.Slice {
		return flagValue([]any{v}, t)
	}
	return fmt.Sprint(v), nil
}

// nearest suggests the name that was meant, where one is near.
func nearest(name string, names []string) string {
	best, distance := "", 4
	for _, n := range names {
		if d := edits(name, n); d < distance {
			best, distance = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
