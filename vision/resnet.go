package vision

import "errors"

func (c *Config) validateResNet() error {
	return errors.New("vision: Stages is set, but this build has no ResNet")
}

func newResNet(Config) body { return nil }
