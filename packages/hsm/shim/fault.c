/*
 * A PKCS#11 library that stands before another one and breaks it on demand. Tests load it in place of the token's own.
 *
 * METERKEEP_SHIM_TARGET   the library that does the work
 * METERKEEP_SHIM_CONTROL  a file with one line, read at each call: a fault, then how often it happens (-1: until changed)
 *
 *   none                  everything passes
 *   latency N MS          N calls take MS milliseconds longer
 *   device-error N        N calls fail with CKR_DEVICE_ERROR
 *   session-lost N        N calls fail with CKR_SESSION_HANDLE_INVALID
 *   wrong-handle N        N operations use another secret of the same session than the one named
 *   hang N                N calls never return
 *   gone N                N calls fail with CKR_TOKEN_NOT_PRESENT, and no slot has a token
 *
 * Only calls that use a key or find one are touched. The count is kept in the file, under a lock, so that it spans
 * threads and processes.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define CK_PTR *
#define CK_DECLARE_FUNCTION(returnType, name) returnType name
#define CK_DECLARE_FUNCTION_POINTER(returnType, name) returnType(*name)
#define CK_CALLBACK_FUNCTION(returnType, name) returnType(*name)
#ifndef NULL_PTR
#define NULL_PTR 0
#endif
#include <pkcs11/pkcs11.h>

static CK_FUNCTION_LIST real;
static CK_FUNCTION_LIST shim;
/* Secrets that were unwrapped in this process, so that one can be taken for another. */
static CK_OBJECT_HANDLE secrets[64];
static CK_SESSION_HANDLE owners[64];
static unsigned count;

enum fault { NONE, LATENCY, DEVICE_ERROR, SESSION_LOST, WRONG_HANDLE, HANG, GONE };

static const char *const NAMES[] = {"none", "latency", "device-error", "session-lost", "wrong-handle", "hang", "gone"};

/* The fault that this call is to suffer, one less of them left in the file. */
static enum fault next_fault(long *milliseconds, int takes_handle) {
  const char *path = getenv("METERKEEP_SHIM_CONTROL");
  int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return NONE;
  flock(file, LOCK_EX);
  char line[128] = {0};
  char name[32] = {0};
  long times = 0;
  enum fault found = NONE;
  if (read(file, line, sizeof line - 1) > 0 && sscanf(line, "%31s %ld %ld", name, &times, milliseconds) >= 1)
    for (int each = LATENCY; each <= GONE; each += 1)
      if (strcmp(name, NAMES[each]) == 0 && times != 0 && (each != WRONG_HANDLE || takes_handle)) found = each;
  if (found != NONE && times > 0) {
    int length = snprintf(line, sizeof line, "%s %ld %ld\n", name, times - 1, *milliseconds);
    if (ftruncate(file, 0) == 0 && pwrite(file, line, (size_t)length, 0) != length) abort();
  }
  flock(file, LOCK_UN);
  close(file);
  return found;
}

static void pause_for(long milliseconds) {
  struct timespec pause = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
  nanosleep(&pause, NULL);
}

/* What a call comes to before the real one is asked; CKR_OK to go on. */
static CK_RV suffer(enum fault fault, long milliseconds) {
  switch (fault) {
    case LATENCY: pause_for(milliseconds); return CKR_OK;
    case DEVICE_ERROR: return CKR_DEVICE_ERROR;
    case SESSION_LOST: return CKR_SESSION_HANDLE_INVALID;
    case HANG: for (;;) pause_for(3600000L);
    case GONE: return CKR_TOKEN_NOT_PRESENT;
    default: return CKR_OK;
  }
}

#define BEFORE(takes_handle)                                  \
  long milliseconds = 0;                                      \
  enum fault fault = next_fault(&milliseconds, takes_handle); \
  CK_RV failed = suffer(fault, milliseconds);                 \
  if (failed != CKR_OK) return failed

static CK_OBJECT_HANDLE another(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
  for (unsigned at = 0; at < count && at < 64; at += 1)
    if (owners[at] == session && secrets[at] != key) return secrets[at];
  return key;
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  BEFORE(1);
  return real.C_SignInit(session, mechanism, fault == WRONG_HANDLE ? another(session, key) : key);
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature, CK_ULONG_PTR room) {
  BEFORE(0);
  return real.C_Sign(session, data, length, signature, room);
}

static CK_RV unwrap(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping, CK_BYTE_PTR wrapped,
                    CK_ULONG length, CK_ATTRIBUTE_PTR template, CK_ULONG attributes, CK_OBJECT_HANDLE_PTR key) {
  BEFORE(0);
  CK_RV result = real.C_UnwrapKey(session, mechanism, wrapping, wrapped, length, template, attributes, key);
  if (result == CKR_OK) {
    unsigned at = __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED) % 64;
    secrets[at] = *key;
    owners[at] = session;
  }
  return result;
}

static CK_RV encrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  BEFORE(1);
  return real.C_EncryptInit(session, mechanism, fault == WRONG_HANDLE ? another(session, key) : key);
}

static CK_RV encrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR cipher, CK_ULONG_PTR room) {
  BEFORE(0);
  return real.C_Encrypt(session, data, length, cipher, room);
}

static CK_RV decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  BEFORE(1);
  return real.C_DecryptInit(session, mechanism, fault == WRONG_HANDLE ? another(session, key) : key);
}

static CK_RV decrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR cipher, CK_ULONG length, CK_BYTE_PTR data, CK_ULONG_PTR room) {
  BEFORE(0);
  return real.C_Decrypt(session, cipher, length, data, room);
}

static CK_RV derive(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base, CK_ATTRIBUTE_PTR template,
                    CK_ULONG attributes, CK_OBJECT_HANDLE_PTR key) {
  BEFORE(1);
  return real.C_DeriveKey(session, mechanism, fault == WRONG_HANDLE ? another(session, base) : base, template, attributes, key);
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG attributes) {
  BEFORE(0);
  return real.C_FindObjectsInit(session, template, attributes);
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR session) {
  BEFORE(0);
  return real.C_OpenSession(slot, flags, application, notify, session);
}

static CK_RV slots(CK_BBOOL with_token, CK_SLOT_ID_PTR list, CK_ULONG_PTR number) {
  long milliseconds = 0;
  if (with_token && next_fault(&milliseconds, 0) == GONE) {
    *number = 0;
    return CKR_OK;
  }
  return real.C_GetSlotList(with_token, list, number);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  if (shim.C_Initialize == NULL) {
    const char *target = getenv("METERKEEP_SHIM_TARGET");
    void *library = target == NULL ? NULL : dlopen(target, RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = library == NULL ? NULL : (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList");
    CK_FUNCTION_LIST_PTR found = NULL;
    if (get == NULL || get(&found) != CKR_OK) return CKR_GENERAL_ERROR;
    real = *found;
    shim = real;
    shim.C_GetFunctionList = C_GetFunctionList;
    shim.C_SignInit = sign_init;
    shim.C_Sign = sign;
    shim.C_UnwrapKey = unwrap;
    shim.C_EncryptInit = encrypt_init;
    shim.C_Encrypt = encrypt;
    shim.C_DecryptInit = decrypt_init;
    shim.C_Decrypt = decrypt;
    shim.C_DeriveKey = derive;
    shim.C_FindObjectsInit = find_init;
    shim.C_OpenSession = open_session;
    shim.C_GetSlotList = slots;
  }
  *list = &shim;
  return CKR_OK;
}
