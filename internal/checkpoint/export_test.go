package checkpoint

// ParseOpenCLIP reads an open_clip_config.json.
func ParseOpenCLIP(config []byte) (Spec, error) { return parseOpenCLIP(config) }

// OpenCLIPConfigOf writes an open_clip_config.json.
func OpenCLIPConfigOf(s *Spec) ([]byte, error) { return openCLIPConfigOf(s) }
