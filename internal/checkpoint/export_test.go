package checkpoint

// ParseOpenCLIP reads an open_clip_config.json.
func ParseOpenCLIP(config []byte) (Spec, error) { return parseOpenCLIP(config) }
