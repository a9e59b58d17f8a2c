package command

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/goclip/goclip/report"
	"github.com/goclip/goclip/train/job"
)

// course is what the files of a run say of it.
type course struct {
	loss     []report.Point
	tests    []report.Test
	warnings []report.Warning
	outcome  job.Outcome
}

// maxEvent is the length in bytes of a line of a log, and of an outcome.
const maxEvent = 1 << 20

// readLog reads a run's log, and its outcome where one lies beside it.
func readLog(path string) (c course, err error) {
	if path == "" {
		return c, nil
	}
	f, err := openFile(path)
	if err != nil {
		return c, input(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxEvent)
	for n := 1; lines.Scan(); n++ {
		var event struct {
			report.Point
			Test     map[string]float64 `json:"test"`
			Warnings []string           `json:"warnings"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return c, input(fmt.Errorf("%s: line %d: %w", path, n, err))
		}
		c.loss = append(c.loss, event.Point)
		if event.Test != nil {
			c.tests = append(c.tests, report.Test{Step: event.Step, Shares: event.Test})
		}
		for _, w := range event.Warnings {
			c.warnings = append(c.warnings, report.Warning{Step: event.Step + 1, Text: w})
		}
	}
	if err := lines.Err(); err != nil {
		return c, input(fmt.Errorf("%s: %w", path, err))
	}
	return c, c.readOutcome(filepath.Join(filepath.Dir(path), job.OutcomeFile))
}

func (c *course) readOutcome(path string) error {
	f, err := openFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return input(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxEvent))
	if err == nil {
		err = json.Unmarshal(text, &c.outcome)
	}
	if err != nil {
		return input(fmt.Errorf("%s: %w", path, err))
	}
	return nil
}

// tell puts it on a page.
func (c *course) tell(page *report.Report) {
	page.Loss, page.Tests, page.Warnings = c.loss, c.tests, c.warnings
	for _, name := range slices.Sorted(maps.Keys(c.outcome.Before)) {
		if after, ok := c.outcome.After[name]; ok {
			page.Compared = append(page.Compared, report.Compared{Name: name, Before: c.outcome.Before[name], After: after})
		}
	}
	if curve := c.outcome.WiseFT; curve != nil {
		page.Line = &report.Line{Saved: curve.Alpha}
		for _, p := range curve.Points {
			_, tuned, _ := job.Headline(p.Tuned)
			_, kept, _ := job.Headline(p.Kept)
			page.Line.Alphas = append(page.Line.Alphas, p.Alpha)
			page.Line.Tuned, page.Line.Kept = append(page.Line.Tuned, tuned), append(page.Line.Kept, kept)
		}
	}
}
