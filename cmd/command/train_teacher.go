package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/job"
)

// stored reads the embeddings of --teacher-file. Where there is no such file and --teacher
// is given, too, it is written first.
func (c *trainCommand) stored(s *session, set dataset.Source, wrongTexts map[string][]string, plan *job.Plan) (err error) {
	if c.TeacherFile == "" {
		return nil
	}
	both := c.Teacher != ""
	if _, missing := os.Stat(c.TeacherFile); !both || !errors.Is(missing, fs.ErrNotExist) {
		if plan.Config.Stored, err = train.OpenStored(c.TeacherFile); err != nil {
			return input(err)
		}
	}
	if !both {
		return nil
	}
	load := plan.LoadTeacher
	load.Upright = c.Upright
	teacher, err := encoder.Load(plan.Teacher, &load)
	if err != nil {
		return input(err)
	}
	defer closing(&err, teacher.Close)
	plan.Teacher = ""
	switch has := plan.Config.Stored; {
	case has == nil:
		return c.store(s, teacher, set, wrongTexts, plan)
	case has.Teacher != teacher.Fingerprint():
		return wrong("--teacher-file %s holds the embeddings of another model than --teacher %s: remove it, or name another", c.TeacherFile, c.Teacher)
	}
	return nil
}

// store writes a teacher's embeddings of the set.
func (c *trainCommand) store(s *session, teacher *encoder.Model, set dataset.Source, wrongTexts map[string][]string, plan *job.Plan) error {
	var more []string
	for _, texts := range wrongTexts {
		more = append(more, texts...)
	}
	slices.Sort(more)
	s.say("%s: the embeddings of %s, once", c.TeacherFile, c.Teacher)
	stored, skipped, err := train.Store(s, teacher, set, more...)
	switch {
	case s.Err() != nil:
		return coded{fmt.Errorf("interrupted before %s was written", c.TeacherFile), interrupted}
	case err != nil:
		return input(err)
	}
	s.say("%s: %d images and %d texts, %d images left out", c.TeacherFile, len(stored.Images), len(stored.Texts), len(skipped))
	plan.Config.Stored = stored
	return stored.Save(c.TeacherFile)
}
