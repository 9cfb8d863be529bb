// Whether a sanitizer stands between the program and its memory: sizes and times are not the program's own then.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ASHLAR_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ASHLAR_SANITIZED 1
#endif
#endif
#ifndef ASHLAR_SANITIZED
#define ASHLAR_SANITIZED 0
#endif
