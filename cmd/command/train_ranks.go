package command

import (
	"errors"
	"io"

	"github.com/goclip/goclip/train"
)

// Run trains, or resumes, alone or as one of several ranks, of which the first one alone says
// what comes of it, also where another fails.
func (c *trainCommand) Run(s *session) error {
	if s.options.Ranks == nil {
		return c.run(s, nil)
	}
	ranks, leave, err := s.options.Ranks()
	if err != nil {
		return err
	}
	if ranks == nil {
		return errors.Join(c.run(s, nil), leave())
	}
	if ranks.Rank() > 0 {
		s.out, s.progress, s.errors, s.terminal, s.counting, s.silent = io.Discard, io.Discard, io.Discard, false, false, true
	}
	err = train.Agree(s, ranks, c.run(s, ranks))
	return errors.Join(err, leave())
}
