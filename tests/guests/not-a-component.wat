;; Text where a binary component is expected: must be refused, never parsed.
(component)
